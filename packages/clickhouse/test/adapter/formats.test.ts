import { randomUUID } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DownloadResult } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

const FORMATS = ['JSONEachRow', 'CSVWithNames', 'Parquet', 'ArrowStream']
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const MANY_BYTES = 18 * 1024 * 1024
const MEASURED_EVERY_BYTES = 4 * 1024 * 1024
/** What may be held at once: some socket buffers, and a block of the server's that is read at once. */
const FEW_BYTES = 14 * 1024 * 1024

describe("an answer in one of ClickHouse's own formats", () => {
  let own: OwnDatabase
  beforeAll(async () => {
    own = await ownDatabase()
  })
  afterAll(async () => {
    await own.drop()
  })

  const download = (format: string, query: string, options: { queryId?: string; signal?: AbortSignal } = {}): Promise<DownloadResult> =>
    own.owner.download(query, {}, { format, ...options })
  const isRunning = async (queryId: string): Promise<boolean> =>
    (await own.owner.execute('SELECT count() AS n FROM system.processes WHERE query_id = :queryId', { queryId })).rows[0]?.['n'] === 1n

  it.each(['JSONEachRow', 'Parquet'])('is read in %s without being held', async (format) => {
    const { body } = await download(format, 'SELECT number, randomPrintableASCII(100) AS text FROM numbers(220000)')
    collectGarbage()
    const before = process.memoryUsage().arrayBuffers
    let bytes = 0
    let held = 0
    let measuredAt = 0
    for await (const chunk of body) {
      bytes += chunk.length
      if (bytes - measuredAt < MEASURED_EVERY_BYTES) continue
      measuredAt = bytes
      collectGarbage()
      held = Math.max(held, process.memoryUsage().arrayBuffers - before)
    }

    expect(bytes).toBeGreaterThan(MANY_BYTES)
    expect(held).toBeLessThan(FEW_BYTES)
  })

  it.each(FORMATS)('throws in %s what the query fails with half-way, and ends it on the server', async (format) => {
    const queryId = randomUUID()
    const { body } = await download(format, "SELECT number, randomPrintableASCII(100) AS text, throwIf(number = 60000, 'half-way') AS never FROM numbers(70000) SETTINGS max_threads = 1, max_block_size = 5000", { queryId })

    const reading = (async () => {
      for await (const chunk of body) expect(chunk.length).toBeGreaterThan(0)
    })()

    await expect(reading).rejects.toMatchObject({ serverCode: 395, message: expect.stringContaining('half-way') as string })
    await expect.poll(() => isRunning(queryId)).toBe(false)
  })

  it('tells what the query failed with also to a reader who was far behind it', async () => {
    const queryId = randomUUID()
    const { body } = await download('CSV', 'SELECT number, throwIf(number = 15000) AS never FROM numbers(20000) SETTINGS max_threads = 1, max_block_size = 1000', { queryId })
    const reader = body[Symbol.asyncIterator]()
    let bytes = (await reader.next()).value?.length ?? 0
    await expect.poll(() => isRunning(queryId)).toBe(false)

    const reading = (async () => {
      for (let step = await reader.next(); step.done !== true; step = await reader.next()) bytes += step.value.length
    })()

    await expect(reading).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY', serverCode: 395 })
    expect(bytes).toBeGreaterThan(10_000)
  })

  it('is sent no faster than it is read, and ends on the server when its reader leaves', async () => {
    const queryId = randomUUID()
    const { body } = await download('CSV', 'SELECT randomString(1000) FROM system.numbers', { queryId })
    const rowsRead = async (): Promise<unknown> => (await own.owner.execute('SELECT read_rows FROM system.processes WHERE query_id = :queryId', { queryId })).rows[0]?.['read_rows']

    const reader = body[Symbol.asyncIterator]()
    await reader.next()
    let last = await rowsRead()
    await expect.poll(async () => {
      const before = last
      last = await rowsRead()
      return before !== undefined && before === last
    }, { interval: 200 }).toBe(true)
    await reader.return?.()

    await expect.poll(() => isRunning(queryId)).toBe(false)
  })
})
