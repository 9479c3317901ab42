import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { readWhole } from '../../src/backup/verify-backup.ts'
import type { BackupStore } from '../../src/index.ts'
import { type Fault, type FaultyLine, faultyLine } from './faulty-line.ts'
import { contentOf, openBucket, piecesOf, type TestBucket } from './s3-bucket.ts'

const MIB = 1024 * 1024
const SLOW_DOWN: Fault = { status: 503, text: '<Error><Code>SlowDown</Code></Error>' }
const PASSING: readonly (readonly [string, Fault])[] = [
  ['is asked too much (503)', SLOW_DOWN],
  ['asks to wait (429)', { status: 429, headers: { 'retry-after': '0' } }],
  ['fails (500)', { status: 500, text: 'oops' }],
  ['breaks the connection', 'break'],
  ['is cut off in its answer', { after: 3, then: 'break' }],
]
/** What a store is asked, of a file that is there. */
const CALLS: Readonly<Record<string, (store: BackupStore, call?: { signal?: AbortSignal; timeoutMs?: number }) => Promise<unknown>>> = {
  list: (store, call) => store.list('', call),
  read: async (store, call = {}) => (await readWhole(store, 'file', call)).toString(),
  write: (store, call) => store.write('file', piecesOf('content'), call),
  remove: (store, call) => store.remove('none of that name', call),
}
const OUTCOMES: Readonly<Record<string, unknown>> = { list: [{ name: 'file', bytes: 7 }], read: 'content', write: undefined, remove: undefined }

let bucket: TestBucket | undefined
let lack = ''
beforeAll(async () => void ({ found: bucket, lack } = await openBucket()), 660_000)
afterAll(() => bucket?.stop())

/** A line to the server, and a bucket that has one file. */
async function lineOf(context: TestContext): Promise<{ line: FaultyLine; bucket: TestBucket; prefix: string }> {
  if (bucket === undefined) return context.skip(`needs an S3 server: ${lack}`)
  const prefix = randomBytes(6).toString('hex')
  await bucket.store({ prefix }).write('file', piecesOf('content'))
  return { line: await faultyLine(bucket.address), bucket, prefix }
}

describe.for(Object.entries(CALLS))('a request to %s', ([name, ask]) => {
  it.for(PASSING)('is sent again when the server %s', async ([, fault], context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    line.plan.push(fault, fault)

    const outcome = await ask(store({ prefix, endpoint: line.address }))

    expect(outcome).toEqual(OUTCOMES[name])
    expect(line.requests.length).toBeGreaterThanOrEqual(3)
    expect((await contentOf(store({ prefix }), 'file')).toString()).toBe('content')
  })

  it('is given up after so many attempts', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    line.plan.push(...Array.from({ length: 10 }, () => SLOW_DOWN))

    await expect(ask(store({ prefix, endpoint: line.address, maxAttempts: 3 }))).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_STORE', retryable: true, context: { systemCode: 'SlowDown', httpStatus: 503 } })

    expect(line.requests).toHaveLength(3)
  })

  it('ends in its time when the server is silent', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    line.plan.push('silence', 'silence')
    const began = performance.now()

    await expect(ask(store({ prefix, endpoint: line.address, timeoutMs: 300 }))).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
    await expect(ask(store({ prefix, endpoint: line.address }), { timeoutMs: 300 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })

    // Long before a store's usual time is up.
    expect(performance.now() - began).toBeLessThan(15_000)
    expect(line.requests.length).toBeLessThanOrEqual(2)
  })

  it('ends when its caller leaves, or the store is to end', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    line.plan.push('silence', 'silence')
    const [leaving, ending] = [new AbortController(), new AbortController()]
    const all = store({ prefix, endpoint: line.address, signal: ending.signal })

    for (const controller of [leaving, ending]) {
      const outcome = expect(ask(all, controller === leaving ? { signal: leaving.signal } : {})).rejects.toMatchObject({ code: 'ERR_ABORTED' })
      await expect.poll(() => line.requests.length).toBe(controller === leaving ? 1 : 2)
      controller.abort()
      await outcome
    }

    await expect(ask(all)).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await line.idle()).toBe(true)
    expect(line.requests).toHaveLength(2)
  })
})

describe('an object that is read', () => {
  const CUT: Fault = { after: 10_000, then: 'break' }

  it('goes on where its answer broke off, as often as it gets further', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    const content = randomBytes(MIB)
    await store({ prefix }).write('large', piecesOf(content))
    line.plan.push(CUT, CUT, CUT, CUT, SLOW_DOWN, CUT)

    const read = await contentOf(store({ prefix, endpoint: line.address, maxAttempts: 2 }), 'large')

    expect(read.equals(content)).toBe(true)
    expect(line.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=10000-', 'bytes=20000-', 'bytes=30000-', 'bytes=40000-', 'bytes=40000-', 'bytes=50000-'])
  })

  it('is not made of two that took turns', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    await store({ prefix }).write('large', piecesOf(Buffer.alloc(MIB, 'a')))
    line.plan.push(CUT)
    const pieces = store({ prefix, endpoint: line.address }).read('large')[Symbol.asyncIterator]()
    await pieces.next()
    await store({ prefix }).write('large', piecesOf(Buffer.alloc(MIB, 'b')))

    await expect(pieces.next()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_STORE', context: { systemCode: 'PreconditionFailed' } })
  })

  it('ends in its time when the server falls silent in the middle of it', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    await store({ prefix }).write('large', piecesOf(randomBytes(MIB)))
    line.plan.push({ after: 10_000, then: 'silence' })

    await expect(contentOf(store({ prefix, endpoint: line.address, timeoutMs: 300 }), 'large')).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
  })

  it('is let go of when nobody wants the rest', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    await store({ prefix }).write('large', piecesOf(randomBytes(MIB)))
    line.plan.push({ after: 10_000, then: 'silence' })

    for await (const _piece of store({ prefix, endpoint: line.address }).read('large')) break

    expect(line.requests).toHaveLength(1)
    expect(await line.idle()).toBe(true)
  })
})

describe('a large file that is written', () => {
  const large = (): AsyncIterable<Uint8Array> => piecesOf(Buffer.alloc(11 * MIB, 'x'))
  const uploadsOf = async ({ ask }: TestBucket, prefix: string): Promise<number> => [...(await (await ask('GET', '?uploads=')).text()).matchAll(new RegExp(`<Key>${prefix}/`, 'g'))].length

  it('is there once, though every request for it failed first, one of them in an answer that says 200', async (context) => {
    const { line, bucket: { store }, prefix } = await lineOf(context)
    await using _end = line
    const inside: Fault = { status: 200, text: '<?xml version="1.0"?>\n <Error><Code>InternalError</Code></Error>' }
    line.plan.push(SLOW_DOWN, 'pass', 'break', 'pass', SLOW_DOWN, 'pass', { status: 500 }, 'pass', inside, 'pass')

    await store({ prefix, endpoint: line.address, partBytes: 5 * MIB }).write('large', large())

    expect(await store({ prefix }).list('large')).toEqual([{ name: 'large', bytes: 11 * MIB }])
    expect(line.requests).toHaveLength(10)
  })

  it('is not there when its caller leaves in the middle, and its parts are removed', async (context) => {
    const { line, bucket: opened, prefix } = await lineOf(context)
    await using _end = line
    line.plan.push('pass', 'pass', 'silence')
    const leaving = new AbortController()
    const writing = expect(opened.store({ prefix, endpoint: line.address, partBytes: 5 * MIB }).write('large', large(), { signal: leaving.signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await expect.poll(() => line.requests.length).toBe(3)
    const before = await uploadsOf(opened, prefix)

    leaving.abort()

    await writing
    await expect.poll(() => uploadsOf(opened, prefix)).toBe(0)
    expect(before).toBe(1)
    expect(await opened.store({ prefix }).list('large')).toEqual([])
  })
})
