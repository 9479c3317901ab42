import { silentLogger } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { KafkaRequest } from '../kafka-api.ts'
import type { LibraryLink } from './library-link.ts'
import { createLinkPool } from './link-pool.ts'

const BROKER = { host: 'kafka', port: 9092 }
const MINUTE_MS = 60_000
const request = (more: Partial<KafkaRequest> = {}): KafkaRequest => ({ apiKey: 3, apiVersion: 12, flexible: false, lane: 'control', body: [], timeoutMs: 1_000, ...more })

/** A link that answers what it is told to, or never. */
class FakeLink implements LibraryLink {
  readonly #ending = new AbortController()
  readonly closed = this.#ending.signal
  readonly #answer: Uint8Array | undefined
  sent = 0

  constructor(answer?: Uint8Array) {
    this.#answer = answer
  }

  send(): Promise<Uint8Array> {
    this.sent++
    return this.#answer === undefined ? new Promise(() => {}) : Promise.resolve(this.#answer)
  }

  async destroy(): Promise<void> {
    this.#ending.abort()
  }
}

function poolOf(open: () => Promise<LibraryLink>) {
  const clock = new FakeClock()
  return { clock, pool: createLinkPool({ seeds: [BROKER], connectTimeoutMs: 5_000, logger: silentLogger, clock }, open) }
}

/** A pool whose links all answer. */
function answeringPool(answer = Buffer.from('answer')) {
  const links: FakeLink[] = []
  const made = poolOf(async () => {
    links.push(new FakeLink(answer))
    return links.at(-1) as FakeLink
  })
  return { ...made, links }
}

describe('a pool of connections', () => {
  it('shares one by what goes over the same lane and channel, also while it is on its way', async () => {
    const { pool, links } = answeringPool()

    await Promise.all([request(), request(), request({ channel: 'a' }), request({ lane: 'fetch' })].map((one) => pool.request(BROKER, one)))
    await pool.request({ ...BROKER, port: 9093 }, request())

    expect(links.map(({ sent }) => sent)).toEqual([2, 1, 1, 1])
    await pool.close()
    expect(links.every(({ closed }) => closed.aborted)).toBe(true)
  })

  it('lets go of a channel that nobody uses any more, and of no other', async () => {
    const { pool, links } = answeringPool()
    for (const channel of ['a', 'a-join-0', 'a-progress', 'ab', 'b', undefined]) await pool.request(BROKER, request({ channel }))

    pool.closeChannel?.('a')

    await expect.poll(() => links.map(({ closed }) => closed.aborted)).toEqual([true, true, true, false, false, false])
    await pool.close()
  })

  it('passes over the tagged fields of a header, whatever a newer broker puts there', async () => {
    const { pool } = answeringPool(Buffer.from([1, 7, 2, 0xaa, 0xbb, 42]))

    expect([...(await pool.request(BROKER, request({ flexible: true })))]).toEqual([42])
    await pool.close()
  })

  it('refuses a header that is cut off', async () => {
    const { pool } = answeringPool(Buffer.from([1, 7, 2]))

    await expect(pool.request(BROKER, request({ flexible: true }))).rejects.toMatchObject({ code: 'ERR_MESSAGING_PROTOCOL' })
    await pool.close()
  })

  it('gives up what has lain idle for longer than brokers bear, and only that', async () => {
    const { pool, clock, links } = answeringPool()
    await pool.request(BROKER, request())
    await pool.request(BROKER, request({ channel: 'seldom' }))

    await clock.advance(8 * MINUTE_MS)
    await pool.request(BROKER, request())
    await clock.advance(2 * MINUTE_MS)
    await pool.request(BROKER, request())

    expect(links.map(({ closed, sent }) => [sent, closed.aborted])).toEqual([
      [3, false],
      [1, true],
    ])
    await pool.close()
  })

  it('connects anew for the next request after a failure, and tells the failure to those who waited', async () => {
    let attempts = 0
    const { pool } = poolOf(() => (++attempts === 1 ? Promise.reject(new Error('no route')) : Promise.resolve(new FakeLink(Buffer.from('x')))))

    const failed = await Promise.allSettled([pool.request(BROKER, request()), pool.request(BROKER, request())])
    await pool.request(BROKER, request())

    expect(failed.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'fulfilled'))).toEqual(Array(2).fill('ERR_MESSAGING_CONNECTION'))
    expect(attempts).toBe(2)
    await pool.close()
  })

  it('says when a request leaves, and never sends one whose caller gave up before', async () => {
    const opening = Promise.withResolvers<LibraryLink>()
    const { pool } = poolOf(() => opening.promise)
    const link = new FakeLink(Buffer.from('x'))
    const caller = new AbortController()
    const left: string[] = []

    const given = pool.request(BROKER, request({ signal: caller.signal, onSend: () => left.push('given up') })).catch((error: unknown) => error)
    const kept = pool.request(BROKER, request({ onSend: () => left.push('kept') }))
    caller.abort()
    opening.resolve(link)
    await kept

    expect(await given).toMatchObject({ code: 'ERR_ABORTED' })
    expect([left, link.sent]).toEqual([['kept'], 1])
    await pool.close()
  })

  it('ends a connection that comes to stand when nobody waits for it any more', async () => {
    const opening = Promise.withResolvers<LibraryLink>()
    const { pool, clock } = poolOf(() => opening.promise)
    const late = new FakeLink()
    const waiting = pool.request(BROKER, request({ timeoutMs: 60_000 })).catch((error: unknown) => error)

    await clock.advance(5_000)
    opening.resolve(late)

    expect(await waiting).toMatchObject({ code: 'ERR_MESSAGING_CONNECTION', retryable: true })
    await pool.close()
    expect(late.closed.aborted).toBe(true)
  })

  it('leaves a connection alone when a caller gives up, and ends it at a deadline', async () => {
    const link = new FakeLink()
    const { pool, clock } = poolOf(() => Promise.resolve(link))
    const caller = new AbortController()
    const givenUp = pool.request(BROKER, request({ signal: caller.signal })).catch((error: unknown) => error)
    const late = pool.request(BROKER, request()).catch((error: unknown) => error)

    caller.abort()
    expect(await givenUp).toMatchObject({ code: 'ERR_ABORTED' })
    expect(link.closed.aborted).toBe(false)
    await clock.advance(1_000)

    expect(await late).toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT' })
    expect(link.closed.aborted).toBe(true)
    await pool.close()
  })
})
