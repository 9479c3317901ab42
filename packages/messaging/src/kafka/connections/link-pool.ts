import { outsideOfCalls } from '@smart-whale/core-resilience'
import { abortedError, TimeoutError } from '@smart-whale/interfaces'
import { notConnected } from '../../errors.ts'
import { runCall } from '../../run-call.ts'
import type { KafkaConnections, KafkaRequest, KafkaTarget } from '../kafka-api.ts'
import { WireReader } from '../protocol/wire-reader.ts'
import { addressOf, connectionFailure } from './connection-failure.ts'
import type { ConnectionSettings } from './connection-settings.ts'
import type { LibraryLink, OpenLink } from './library-link.ts'

/** Brokers drop connections after ten idle minutes; a request that meets the end of one would fail for nothing. */
const MAX_IDLE_MS = 9 * 60_000

/** A connection, or one on its way. */
interface PooledLink {
  readonly broker: KafkaTarget
  readonly channel: string
  readonly link: Promise<LibraryLink>
  requests: number
  hasAnswered: boolean
  usedAtMs: number
}

/** Connections by broker, lane and channel, made when they are first asked for and anew when they broke. */
export function createLinkPool(settings: Pick<ConnectionSettings, 'seeds' | 'connectTimeoutMs' | 'logger' | 'clock'>, open: OpenLink): KafkaConnections {
  return new LinkPool(settings, open)
}

class LinkPool implements KafkaConnections {
  readonly seeds: readonly KafkaTarget[]
  readonly #settings: Pick<ConnectionSettings, 'connectTimeoutMs' | 'logger' | 'clock'>
  readonly #open: OpenLink
  readonly #pooled = new Map<string, PooledLink>()
  readonly #ending = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(settings: Pick<ConnectionSettings, 'seeds' | 'connectTimeoutMs' | 'logger' | 'clock'>, open: OpenLink) {
    this.seeds = settings.seeds
    this.#settings = settings
    this.#open = open
  }

  async request(broker: KafkaTarget, request: KafkaRequest): Promise<Uint8Array> {
    const address = addressOf(broker)
    if (this.#closing.signal.aborted) throw notConnected(`a request to broker ${address}`)
    this.#dropIdle()
    const { lane, channel = '' } = request
    const key = `${address}/${lane}/${channel}`
    const pooled = this.#pooled.get(key) ?? this.#openPooled(key, broker, channel)
    pooled.requests++
    try {
      return await runCall(`the answer of broker ${address}`, request, this.#settings.clock, (signal) => this.#ask(pooled, request, signal))
    } catch (error) {
      // Whatever the answer would be, it is too late, and everything behind it waits for it.
      if (TimeoutError.isInstance(error)) this.#giveUp(key, pooled)
      throw error
    } finally {
      pooled.requests--
      pooled.usedAtMs = this.#settings.clock.monotonic()
    }
  }

  closeChannel(channel: string): void {
    for (const [key, pooled] of this.#pooled) {
      if (pooled.channel === channel || pooled.channel.startsWith(`${channel}-`)) this.#giveUp(key, pooled)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const [key, pooled] of this.#pooled) this.#giveUp(key, pooled)
    while (this.#ending.size > 0) await Promise.allSettled(this.#ending)
  }

  async #ask(pooled: PooledLink, request: KafkaRequest, signal: AbortSignal): Promise<Uint8Array> {
    const link = await pooled.link
    // Nobody waits any more: what isn't sent now need not be thought of later.
    if (signal.aborted) throw abortedError(`a request to broker ${addressOf(pooled.broker)}`, signal)
    request.onSend?.()
    const answer = await this.#orBroken(pooled, link, link.send(request))
    pooled.hasAnswered = true
    if (!request.flexible) return answer
    const reader = new WireReader(answer, `request ${request.apiKey}`)
    reader.tags()
    return answer.subarray(answer.length - reader.remaining)
  }

  /** Libraries differ in what they do with requests under way when a connection breaks; here they fail at once. */
  #orBroken<T>(pooled: PooledLink, { closed }: LibraryLink, answer: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fail = (cause: unknown): void => {
        closed.removeEventListener('abort', onClosed)
        reject(this.#failure(pooled, closed.aborted ? closed.reason : cause))
      }
      const onClosed = (): void => fail(closed.reason)
      closed.addEventListener('abort', onClosed)
      if (closed.aborted) onClosed()
      answer.then((value) => {
        closed.removeEventListener('abort', onClosed)
        resolve(value)
      }, fail)
    })
  }

  #failure({ broker, hasAnswered }: PooledLink, cause: unknown): Error {
    if (this.#closing.signal.aborted) return notConnected(`a request to broker ${addressOf(broker)}`)
    const hint = 'the broker ended it without ever answering: a listener that wants TLS or SASL does so when we come without, and so does Kafka before 3.1'
    return connectionFailure(broker, cause, hasAnswered ? undefined : hint)
  }

  #openPooled(key: string, broker: KafkaTarget, channel: string): PooledLink {
    // Others will share it.
    const link = outsideOfCalls(() => this.#openLink(key, broker))
    const pooled: PooledLink = { broker, channel, link, requests: 0, hasAnswered: false, usedAtMs: this.#settings.clock.monotonic() }
    this.#pooled.set(key, pooled)
    this.#untilEnded(
      link.then(
        ({ closed }) => {
          if (closed.aborted) this.#giveUp(key, pooled)
          else closed.addEventListener('abort', () => this.#giveUp(key, pooled))
        },
        () => this.#forget(key, pooled),
      ),
    )
    return pooled
  }

  async #openLink(key: string, broker: KafkaTarget): Promise<LibraryLink> {
    const { clock, connectTimeoutMs, logger } = this.#settings
    const limits = { timeoutMs: connectTimeoutMs, signal: this.#closing.signal }
    const opened = await runCall(`connecting to broker ${addressOf(broker)}`, limits, clock, (signal) => {
      const opening = this.#open(broker, signal)
      // When nobody waits any more, the library may still come to an end of it.
      this.#untilEnded(opening.then((late) => (signal.aborted ? late.destroy() : undefined)))
      return opening
    }).catch((error: unknown) => {
      logger.debug({ connection: key, error }, 'no connection to a Kafka broker')
      if (this.#closing.signal.aborted) throw notConnected(`a request to broker ${addressOf(broker)}`)
      const hint = `it didn't stand within ${connectTimeoutMs} ms: look whether the broker runs, or give it more connectTimeoutMs`
      throw connectionFailure(broker, error, TimeoutError.isInstance(error) ? hint : undefined)
    })
    logger.debug({ connection: key }, 'connected to a Kafka broker')
    return opened
  }

  #giveUp(key: string, pooled: PooledLink): void {
    this.#forget(key, pooled)
    this.#untilEnded(pooled.link.then((link) => link.destroy()))
  }

  #forget(key: string, pooled: PooledLink): void {
    if (this.#pooled.get(key) === pooled) this.#pooled.delete(key)
  }

  #dropIdle(): void {
    const now = this.#settings.clock.monotonic()
    for (const [key, pooled] of this.#pooled) {
      if (pooled.requests === 0 && now - pooled.usedAtMs > MAX_IDLE_MS) this.#giveUp(key, pooled)
    }
  }

  /** Remembers work whose end `close` has to wait for; how it ends matters to nobody. */
  #untilEnded(work: Promise<unknown>): void {
    const ending = work.catch(() => undefined).finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}
