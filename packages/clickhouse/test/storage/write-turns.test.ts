import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Row, SliceClaim, TurnBatchWriter } from '@smart-whale/interfaces'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createAdapter, createBatchWriter, createTable, ingestEpochsDefinition, tableGiven, takeOverTurns } from '../../src/index.ts'
import { stallingProxy } from '../adapter/stalling-proxy.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let made = 0
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

const columns = { source_topic: 'LowCardinality(String)', source_partition: 'Int32', source_offset: 'Int64', text: 'String' }
const script = fileURLToPath(new URL('../fixtures/write-when-told.ts', import.meta.url))

async function table(options: { partitionBy?: string; deduplicationWindow?: number } = {}): Promise<{ name: string; writer: TurnBatchWriter<Row> }> {
  const name = `turns_${made++}`
  await createTable(database.owner, name, { columns, primaryKey: ['source_partition', 'source_offset'] }, { deduplicationWindow: 1, ...options })
  return { name, writer: createBatchWriter(database.owner, name) }
}

const claim = (epoch: bigint, owner: string): SliceClaim => ({ scope: { pipeline: 'zombie', topicId: 'topic-1', partition: 0 }, epoch, owner, nextOffset: 0n, inFlight: null })
const rowsOf = (first: number, count: number): Row[] => Array.from({ length: count }, (_value, index) => ({ source_topic: 'topic', source_partition: 0, source_offset: BigInt(first + index), text: 'x'.repeat(100) }))
const slice = (count: number) => ({ topic: 'topic', partition: 0, firstOffset: 0n, lastOffset: BigInt(count - 1) })

/** Rows of a table, and different offsets among them. */
async function counted(name: string): Promise<{ rows: number; offsets: number }> {
  const { rows } = await database.owner.execute<Row & { n: bigint; d: bigint }>(`SELECT toInt64(count()) AS n, toInt64(uniqExact(source_offset)) AS d FROM ${name}`)
  return { rows: Number(rows[0]?.n), offsets: Number(rows[0]?.d) }
}

/** Another owner takes over, stores the slice, and moves on until the table has forgotten its token. */
async function takeOver(writer: TurnBatchWriter<Row>, count: number): Promise<void> {
  const turn = await writer.takeTurn(claim(2n, 'second'))
  const there = new Set(await writer.storedOffsets(slice(count)))
  const missing = rowsOf(0, count).filter((row) => !there.has(row['source_offset'] as bigint))
  await writer.write({ rows: missing, token: 'slice-0', turn })
  await writer.write({ rows: rowsOf(count, 10), token: 'slice-1', turn })
}

async function lineOf(child: ChildProcess): Promise<string> {
  const [data] = (await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer]
  return data.toString().trim()
}

describe('an owner that comes back after the table has forgotten its token', () => {
  it('is refused when its process was suspended before it sent its insert', async () => {
    const { name, writer } = await table()
    const { url, owner } = inject('clickhouse')
    const child = spawn(process.execPath, ['--conditions=@smart-whale/source', script, url, owner.username, owner.password, database.name, name, '5000'], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      expect(await lineOf(child)).toBe('ready')
      child.kill('SIGSTOP')
      child.stdin.write('write\n')
      await takeOver(writer, 5000)

      child.kill('SIGCONT')
      expect(await lineOf(child)).toBe('ERR_STALE_EPOCH')
      expect(await counted(name)).toEqual({ rows: 5010, offsets: 5010 })
    } finally {
      child.kill('SIGKILL')
    }
  })

  it('stores its rows once, with whoever takes over, when it is suspended at any moment of its insert', async () => {
    const { url, owner } = inject('clickhouse')
    for (let round = 0; round < 4; round++) {
      const { name, writer } = await table()
      const child = spawn(process.execPath, ['--conditions=@smart-whale/source', script, url, owner.username, owner.password, database.name, name, '30000'], { stdio: ['pipe', 'pipe', 'inherit'] })
      const ended = once(child, 'exit') // it may end before the newcomer has taken over
      try {
        expect(await lineOf(child)).toBe('ready')
        child.stdin.write('write\n')
        await new Promise((resolve) => setTimeout(resolve, round * 50))
        child.kill('SIGSTOP')
        const takingOver = takeOver(writer, 30_000)
        // A request that was half-sent holds the newcomer up until its sender goes on, or the server has had enough of it.
        await Promise.race([takingOver, new Promise((resolve) => setTimeout(resolve, 1500))])
        child.kill('SIGCONT')
        await takingOver
        await ended

        expect(await counted(name), `suspended after ${round * 50} ms`).toEqual({ rows: 30_010, offsets: 30_010 })
      } finally {
        child.kill('SIGKILL')
      }
    }
  })

  it('holds a newcomer up while its request hangs half-sent, and stores nothing of it', async () => {
    const { name, writer } = await table()
    const { url, owner } = inject('clickhouse')
    const proxy = await stallingProxy(url, 'INSERT', 1_000_000)
    const adapter = createAdapter({ url: proxy.url, user: owner.username, password: owner.password, database: database.name })
    try {
      const cutOff = createBatchWriter(adapter, name)
      const turn = await cutOff.takeTurn(claim(1n, 'first'))
      const abort = new AbortController()
      const writing = cutOff.write({ rows: rowsOf(0, 60_000), token: 'slice-0', turn }, { signal: abort.signal }).catch((error: unknown) => error)
      await proxy.stalled
      const impatient = createBatchWriter(database.connect(), name, { takeoverTimeoutMs: 300 })
      await expect(impatient.takeTurn(claim(2n, 'second'))).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_INSERT_RUNNING', retryable: true })

      proxy.cutOff()
      await takeOver(writer, 1000)
      abort.abort()
      await writing
      expect(await counted(name)).toEqual({ rows: 1010, offsets: 1010 })
    } finally {
      await adapter.close()
      await proxy.close()
    }
  })
})

describe('a table whose inserts make several parts', () => {
  it('holds still once a turn is given, and lacks exactly what storedOffsets says', async () => {
    for (let round = 0; round < 3; round++) {
      const { name, writer } = await table({ partitionBy: 'source_offset % 12', deduplicationWindow: 1 })
      const old = await writer.takeTurn(claim(1n, 'first'))
      const writing = writer.write({ rows: rowsOf(0, 30_000), token: 'slice-0', turn: old }).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 30 + round * 40))

      await takeOver(createBatchWriter(database.connect(), name), 30_000)
      await writing
      expect(await counted(name), `round ${round}`).toEqual({ rows: 30_010, offsets: 30_010 })
    }
  })
})

describe('wouldDropRepeat', () => {
  it('tells until when a table knows the token of the rows that it has, also when they were merged', async () => {
    const { name, writer } = await table({ deduplicationWindow: 3 })
    await writer.write({ rows: rowsOf(0, 10), token: 't0' })
    await writer.write({ rows: rowsOf(10, 10), token: 't1' })
    await writer.write({ rows: rowsOf(20, 10), token: 't2' })
    await database.owner.execute(`OPTIMIZE TABLE ${name} FINAL`)

    expect(await writer.wouldDropRepeat?.(slice(10))).toBe(true)
    await writer.write({ rows: rowsOf(0, 10), token: 't0' })
    expect(await counted(name)).toEqual({ rows: 30, offsets: 30 })

    await writer.write({ rows: rowsOf(30, 10), token: 't3' })
    await writer.write({ rows: rowsOf(40, 10), token: 't4' })
    expect(await writer.wouldDropRepeat?.(slice(10))).toBe(false)
  })
})

describe('a table with views', () => {
  it('is refused as long as a repeat would be kept by what a view feeds, however deep', async () => {
    const { name, writer } = await table()
    const { owner } = database
    await owner.execute(`CREATE TABLE ${name}_sums (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 10`)
    await owner.execute(`CREATE MATERIALIZED VIEW ${name}_view TO ${name}_sums AS SELECT count() AS n FROM ${name}`)
    await owner.execute(`CREATE MATERIALIZED VIEW ${name}_inner ENGINE = MergeTree ORDER BY n AS SELECT n FROM ${name}_sums`)

    const refusal = await writer.write({ rows: rowsOf(0, 1), token: 't' }).catch((error: unknown) => error as Error)
    expect(refusal).toMatchObject({ code: 'ERR_CLICKHOUSE_NO_DEDUPLICATION', message: expect.stringContaining('.inner') as string })
    await owner.execute(/ALTER TABLE .* = \d+/.exec((refusal as Error).message)?.[0] ?? 'no remedy')
    await writer.write({ rows: rowsOf(0, 1), token: 't' })
  })
})

describe('a partition that another pipeline takes over', () => {
  it('is its own from then on, and what still comes from the former one is refused', async () => {
    const { name, writer } = await table()
    const before = await writer.takeTurn(claim(7n, 'first'))
    const { scope } = before
    const takeover = { from: scope.pipeline, to: 'successor', topicId: scope.topicId, topic: 'topic' }

    expect(await takeOverTurns(database.owner, name, takeover)).toEqual([0])

    expect(await writer.latestTurn(scope)).toEqual({ epoch: 8n, pipeline: 'successor' })
    expect(await writer.tableHolder(scope.topicId)).toBe('successor')
    await expect(writer.takeTurn(claim(20n, 'first'))).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN' })
    await expect(takeOverTurns(database.owner, name, { ...takeover, to: 'third' })).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', context: { holder: 'successor' } })
    await expect(writer.write({ rows: rowsOf(0, 1), token: 'late', turn: before })).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
    expect(await takeOverTurns(database.owner, name, takeover)).toEqual([0])
    expect(await takeOverTurns(database.owner, name, takeover)).toEqual([])
    expect(await takeOverTurns(database.owner, name, { ...takeover, topicId: 'another' })).toEqual([])
  })

  it('is given to nobody by a command that looked before it was taken back', async () => {
    const { name, writer } = await table()
    const { scope } = await writer.takeTurn(claim(7n, 'first'))
    const [former, there] = [scope.pipeline, { topicId: scope.topicId, topic: 'topic' }]
    await takeOverTurns(database.owner, name, { from: former, to: 'successor', ...there })
    const { holder, generation: since } = await tableGiven(database.owner, name, scope.topicId)
    expect(holder).toBe('successor')
    expect(await takeOverTurns(database.owner, name, { from: former, to: 'successor', ...there, since })).toEqual([])
    await takeOverTurns(database.owner, name, { from: 'successor', to: former, ...there, since })

    await expect(takeOverTurns(database.owner, name, { from: former, to: 'successor', ...there, since })).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', context: { holder: former } })

    expect(await writer.tableHolder(scope.topicId)).toBe(former)
  })

  it('is one that was renamed before pipelines took turns with each other, though its epochs began anew', async () => {
    const { name, writer } = await table()
    await writer.takeTurn(claim(7n, 'first'))
    const scope = { pipeline: 'renamed', topicId: 'topic-1', partition: 0 }
    await database.owner.execute(`INSERT INTO smart_whale_ingest_epochs (target, pipeline, topic_id, \`partition\`, epoch, attempt, owner, holder, taken_at) VALUES ('${database.name}.${name}', 'renamed', 'topic-1', 0, 2, 0, 'second', 'x', now64(3) + 1)`)

    expect(await writer.latestTurn(scope)).toEqual({ epoch: 7n, pipeline: 'renamed' })
    const turn = await writer.takeTurn({ ...claim(8n, 'second'), scope })
    await writer.write({ rows: rowsOf(0, 1), token: 'renamed', turn })
    expect(await counted(name)).toEqual({ rows: 1, offsets: 1 })
  })
})

describe('ingestEpochsDefinition', () => {
  it('is golden for a cluster, on which it was not run', () => {
    expect(ingestEpochsDefinition({ table: 'ops.epochs', cluster: "trio's" })).toMatch(
      /^CREATE TABLE IF NOT EXISTS `ops`\.`epochs` ON CLUSTER 'trio\\'s' \([\s\S]*ENGINE = ReplicatedMergeTree\('\/clickhouse\/tables\/\{database\}\/\{table\}', '\{replica\}'\) ORDER BY \(target, pipeline, topic_id, `partition`, epoch, attempt\)/,
    )
  })
})
