import { compileGlob, type Logger, silentLogger } from '@smart-whale/interfaces'
import { TOKEN_LENGTH, TOKEN_START } from '../codec/envelope.ts'
import { newToken } from '../manager/load-token.ts'
import { LEASE_MS } from '../shared/lease-times.ts'
import type { ClaimReply, ClaimRequest, Invalidation, RecordedInvalidation, RecordReply, RegisteredNode, Renewal, RenewalReply, SharedCache, SharedListener } from '../shared/shared-cache.ts'
import { GetBatch } from './get-batch.ts'
import { checkRedisConfig, type RedisConfig } from './redis-config.ts'
import { RedisConnection } from './redis-connection.ts'
import { RedisKeys } from './redis-keys.ts'
import { scanKeysOf } from './scan-keys.ts'

const MOST_LOGGED = 1_000
/** Tags that are remembered; above it everything is invalidated once, and remembering begins anew. */
const MOST_FIELDS = 200_000
/** A run is young for two leases, in Redis's whole seconds and rather too long. */
const YOUNG_SECONDS = Math.ceil((2 * LEASE_MS) / 1000) + 1
const WAIT_FOR_REPLICAS_MS = 1_000

/** What a layer on Redis may be told besides where it is. */
export interface RedisLayerOptions {
  /** Told of broken connections. @default silentLogger */
  logger?: Logger | undefined
}

/** The shared layer on Redis. */
class RedisLayer implements SharedCache {
  readonly #connection: RedisConnection
  readonly #keys: RedisKeys
  readonly #gets: GetBatch
  readonly #waitForReplicas: number
  #listener: SharedListener | undefined
  #node = ''

  constructor(config: RedisConfig, { logger = silentLogger }: RedisLayerOptions) {
    const checked = checkRedisConfig(config)
    this.#connection = new RedisConnection(checked, logger)
    this.#keys = new RedisKeys(checked.prefix ?? '')
    this.#gets = new GetBatch(this.#connection)
    this.#waitForReplicas = checked.waitForReplicas ?? 0
  }

  async connect(listener: SharedListener): Promise<void> {
    this.#listener = listener
    await this.#connection.open()
  }

  async disconnect(): Promise<void> {
    this.#connection.close()
    this.#node = ''
  }

  redial(): void {
    this.#connection.redial()
  }

  read(key: string): Promise<string | undefined> {
    return this.#gets.get(this.#keys.value(key))
  }

  async tagNumbers(tags: readonly string[]): Promise<{ readonly run: string; readonly numbers: readonly number[] }> {
    const [run, ...numbers] = await this.#connection.commands.hmget(this.#keys.coordination, 'run', ...tags.map((tag) => `t:${tag}`))
    return { run: run ?? '', numbers: numbers.map(Number) }
  }

  async claim({ key, token, lifeMs, unusable, waitedFor }: ClaimRequest): Promise<ClaimReply> {
    const reply = await this.#connection.run('swCacheClaim', ...this.#keys.all(key), token, lifeMs, unusable, waitedFor, TOKEN_START, TOKEN_START + TOKEN_LENGTH - 1)
    const [kind, first, second] = reply as [ClaimReply['kind'], string, string | number]
    if (kind === 'value') return { kind, payload: first }
    if (kind === 'busy') return { kind, holder: first, leftMs: Number(second) }
    if (kind === 'failed') return { kind, holder: first, failure: String(second) }
    return { kind: 'granted' }
  }

  async prolong(key: string, token: string, lifeMs: number): Promise<boolean> {
    return (await this.#connection.run('swCacheProlong', this.#keys.token(key), token, lifeMs)) === 1
  }

  async fill(key: string, token: string, payload: string, lifeMs: number): Promise<boolean> {
    return (await this.#connection.run('swCacheFill', ...this.#keys.all(key), token, payload, lifeMs, this.#keys.settled, key)) === 1
  }

  async giveUp(key: string, token: string, failure: string | undefined, failureMs: number): Promise<void> {
    await this.#connection.run('swCacheGiveUp', ...this.#keys.all(key), token, failure ?? '', failureMs, this.#keys.settled, key)
  }

  async remove(keys: readonly string[]): Promise<void> {
    const { commands } = this.#connection
    await Promise.all(keys.map((key) => commands.del(this.#keys.value(key), this.#keys.token(key))))
    await this.#copied()
  }

  async removeMatching(pattern: string): Promise<void> {
    const matches = compileGlob(pattern)
    for (const master of this.#connection.masters()) {
      for await (const names of scanKeysOf(master, this.#keys.scanPattern)) {
        const found = names.filter((name) => {
          const key = this.#keys.keyOf(name)
          return key !== undefined && matches(key)
        })
        await Promise.all(found.map((name) => this.#connection.commands.del(name)))
      }
    }
    await this.#copied()
  }

  async renew({ node, run, followed, tell }: Renewal): Promise<RenewalReply> {
    await this.#listenFor(node)
    const reply = await this.#connection.run('swCacheRenew', this.#keys.coordination, newToken(), this.#keys.followed, node, run, followed, ...tell)
    const [current, newest, isSame, missed] = reply as [string, number, number, string[]]
    return { run: current, newest, missed: isSame === 1 ? missed.map(readMessage).filter((recorded) => recorded !== undefined) : undefined }
  }

  async record(origin: string, invalidation: Invalidation): Promise<RecordReply> {
    const all = invalidation.all === true ? 1 : 0
    const payload = JSON.stringify(invalidation)
    const args = [newToken(), this.#keys.invalidations, origin, payload, all, MOST_LOGGED, MOST_FIELDS, YOUNG_SECONDS, ...(invalidation.tags ?? [])]
    const [run, number, isYoung, flat] = (await this.#connection.run('swCacheRecord', this.#keys.coordination, ...args)) as [string, number, number, (string | number)[]]
    const nodes: RegisteredNode[] = []
    for (let at = 0; at < flat.length; at += 3) nodes.push({ node: String(flat[at]), followed: Number(flat[at + 1]), renewals: Number(flat[at + 2]) })
    return { run, number, nodes, isYoung: isYoung === 1 }
  }

  async strike(nodes: readonly RegisteredNode[]): Promise<void> {
    await this.#connection.run('swCacheStrike', this.#keys.coordination, ...nodes.flatMap(({ node, renewals }) => [node, renewals]))
  }

  async #copied(): Promise<void> {
    if (this.#waitForReplicas === 0) return
    await Promise.all(this.#connection.masters().map((master) => master.wait(this.#waitForReplicas, WAIT_FOR_REPLICAS_MS)))
  }

  async #listenFor(node: string): Promise<void> {
    if (this.#node === node) return
    this.#node = node
    const mine = this.#keys.followed + node
    await this.#connection.listen([this.#keys.invalidations, this.#keys.settled, mine], (channel, message) => {
      if (channel === this.#keys.settled) return this.#listener?.onSettled(message)
      if (channel === mine) return this.#tellFollowed(message)
      const recorded = readMessage(message)
      if (recorded !== undefined) this.#listener?.onInvalidation(recorded)
    })
  }

  #tellFollowed(message: string): void {
    const [node = '', run = '', followed = ''] = message.split(' ')
    this.#listener?.onFollowed(node, run, Number(followed))
  }
}

/** A layer on Redis for a `CacheManager`. */
export function createRedisLayer(config: RedisConfig, options: RedisLayerOptions = {}): SharedCache {
  return new RedisLayer(config, options)
}

/** `run number origin invalidation`; `undefined` for what isn't one: the gap is then noticed, and everything forgotten. */
function readMessage(message: string): RecordedInvalidation | undefined {
  const [run = '', number = '', origin = ''] = message.split(' ', 3)
  try {
    return { run, number: Number(number), origin, invalidation: JSON.parse(message.slice(run.length + number.length + origin.length + 3)) as Invalidation }
  } catch {
    return undefined
  }
}
