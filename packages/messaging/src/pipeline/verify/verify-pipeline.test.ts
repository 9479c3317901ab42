import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SliceLedger, type SliceScope, type SliceState, type StoredRows, systemClock } from '@smart-whale/interfaces'
import { deadLetterRecord, deadLetterTopic } from '../../dead-letter.ts'
import { createMemoryTransport } from '../../memory/index.ts'
import type { MessagingTransport } from '../../transport.ts'
import { definePipelines } from '../define-pipelines.ts'
import type { PipelineSink } from '../event-types.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import type { VerifyFinding } from './verify-report.ts'
import { verifyPipeline, type VerifyOptions } from './verify-pipeline.ts'

const [RIDES] = definePipelines([{ topic: 'rides', fields: { id: 'int64', time: 'timestamp', fare: 'decimal(8,2)' }, time: 'time', id: 'id', partitions: 2 }]) as [PipelineDefinition]
const RECORDS = 100
/** Offsets of partition 0 whose records are bad. */
const BAD = [7n, 30n, 31n]

interface StoredText {
  partition: number
  offset: bigint
  values: string[]
}

/** A store as a list of rows: tests take rows away, double them, or put foreign ones in. */
class ListedRows implements StoredRows {
  rows: StoredText[] = []

  async storedOffsets({ partition, firstOffset, lastOffset }: Parameters<StoredRows['storedOffsets']>[0]): Promise<bigint[]> {
    return this.rows.filter((row) => row.partition === partition && row.offset >= firstOffset && row.offset <= lastOffset).map((row) => row.offset).sort((a, b) => Number(a - b))
  }

  async storedPartitions(): Promise<{ partition: number; rows: bigint; firstOffset: bigint; lastOffset: bigint }[]> {
    return [...Map.groupBy(this.rows, (row) => row.partition)].map(([partition, rows]) => ({ partition, rows: BigInt(rows.length), firstOffset: rows[0]?.offset ?? 0n, lastOffset: rows.at(-1)?.offset ?? 0n }))
  }

  async readStored({ partition, firstOffset, lastOffset }: Parameters<StoredRows['readStored']>[0]): Promise<StoredText[]> {
    return this.rows.filter((row) => row.partition === partition && row.offset >= firstOffset && row.offset <= lastOffset)
  }

  remove(partition: number, offset: bigint): void {
    this.rows = this.rows.filter((row) => row.partition !== partition || row.offset !== offset)
  }

  add(partition: number, offset: bigint): void {
    this.rows.push({ partition, offset, values: valuesOf(offset) })
  }
}

const timeOf = (offset: bigint): Date => new Date(Date.UTC(2026, 0, 1) + Number(offset) * 1000)
const valuesOf = (offset: bigint): string[] => [String(offset), String(timeOf(offset).getTime()), '1.5', String(offset)]

let transport: MessagingTransport
let stores: Record<PipelineSink, ListedRows>
let states: Map<number, SliceState>

beforeEach(async () => {
  transport = createMemoryTransport()
  await transport.start()
  await transport.topics.create('rides', { partitions: 2 })
  await transport.topics.create(deadLetterTopic('rides'), { partitions: 1 })
  stores = { clickhouse: new ListedRows(), timescaledb: new ListedRows() }
  for (const partition of [0, 1]) await produce(partition)
  states = new Map([0, 1].map((partition) => [partition, { nextOffset: BigInt(RECORDS), inFlight: null, epoch: 1n, owner: 'a' }]))
})

afterEach(() => transport.stop())

async function produce(partition: number): Promise<void> {
  for (let offset = 0n; offset < RECORDS; offset++) {
    const isBad = partition === 0 && BAD.includes(offset)
    await transport.send('rides', [{ partition, value: isBad ? '{"id":' : JSON.stringify({ id: Number(offset), time: timeOf(offset), fare: 1.5 }) }])
    if (isBad) await bury(partition, offset)
    else for (const store of Object.values(stores)) store.add(partition, offset)
  }
}

async function bury(partition: number, offset: bigint, groupId?: string): Promise<void> {
  const record = { topic: 'rides', partition, offset, key: null, value: Buffer.from('{"id":'), headers: {}, timestamp: 0 }
  await transport.send(deadLetterTopic('rides'), [deadLetterRecord(record, { code: 'undecodable', message: 'the message is not JSON', ...(groupId !== undefined && { groupId }) })])
}

const ledger: Pick<SliceLedger, 'inspect'> = { inspect: async ({ partition }: SliceScope) => states.get(partition) ?? null }

async function verify(options: Partial<VerifyOptions> = {}): Promise<{ report: Awaited<ReturnType<typeof verifyPipeline>>; findings: string[] }> {
  const findings: VerifyFinding[] = []
  const report = await verifyPipeline({ definition: RIDES, transport, ledger, stores: new Map(Object.entries(stores) as [PipelineSink, StoredRows][]), rangeSize: 16, onFinding: (finding) => findings.push(finding), ...options })
  return { report, findings: findings.map(({ kind, place, partition, firstOffset, lastOffset, detail }) => `${kind} ${place} ${partition}:${firstOffset}-${lastOffset}${detail === null ? '' : ` ${detail}`}`) }
}

describe('verifyPipeline', () => {
  it('finds nothing where every record is where it belongs', async () => {
    const { report, findings } = await verify({ deep: true })

    expect(findings).toEqual([])
    expect(report.isWhole).toBe(true)
    expect(report.partitions[0]).toMatchObject({ position: 100n, checkedFrom: 0n, checkedTo: 100n, records: 100, good: 97, dead: 3, leftOut: 0, wrong: 0, inFlight: null })
  })

  it('counts rows that ClickHouse has removed for their age, and does not miss them; those of PostgreSQL, and younger ones, it does', async () => {
    const definition = { ...RIDES, clickhouse: { ...RIDES.clickhouse, ttlDays: 10 } }
    // Records are a second apart; the first fifty are ten days old.
    const clock = { ...systemClock, now: () => timeOf(50n).getTime() + 10 * 86_400_000 - 3_600_000 }
    for (let offset = 0n; offset < 40n; offset++) stores.clickhouse.remove(1, offset)
    stores.clickhouse.remove(1, 60n)
    stores.timescaledb.remove(1, 3n)

    const { report, findings } = await verify({ definition, clock })

    expect(findings.sort()).toEqual(['missing clickhouse 1:60-60', 'missing timescaledb 1:3-3'])
    expect(report.partitions.map(({ expired }) => expired)).toEqual([0, 40])
    expect((await verify({ clock })).report.counts).toEqual({ missing: 42 })
  })

  it('refuses to call a partition whole that is not there', async () => {
    await expect(verify({ partitions: [17] })).rejects.toMatchObject({ code: 'ERR_MESSAGING_PARTITION_NOT_FOUND' })
  })

  it('names a gap of neighbours once, by store, partition and offsets, across ranges', async () => {
    for (let offset = 10n; offset < 40n; offset++) stores.clickhouse.remove(1, offset)
    stores.timescaledb.remove(0, 99n)

    const { report, findings } = await verify()

    expect(findings).toEqual(['missing timescaledb 0:99-99', 'missing clickhouse 1:10-39'])
    expect(report).toMatchObject({ isWhole: false, counts: { missing: 31 }, partitions: [{ wrong: 1 }, { wrong: 30 }] })
  })

  it.each<[string, () => void | Promise<void>, string[]]>([
    ['a double', () => stores.clickhouse.add(1, 50n), ['doubled clickhouse 1:50-50 2 times']],
    ['a row that should be dead', () => stores.timescaledb.add(0, 7n), ['should-be-dead timescaledb 0:7-7']],
    ['a letter that is also stored', () => bury(1, 5n), ['stored-and-dead clickhouse 1:5-5', 'stored-and-dead timescaledb 1:5-5']],
    ['a letter twice', () => bury(0, 7n), ['doubled dead-letters 0:7-7 2 times']],
    ['a letter of an offset beyond the topic', () => bury(3, 7n), ['not-in-topic dead-letters 3:0-0 the topic has no such partition']],
    ['rows of a partition that is not there', () => stores.clickhouse.add(9, 4n), ['not-in-topic clickhouse 9:4-4 the topic has no such partition']],
    ['rows ahead of the ledger', () => void states.set(1, { nextOffset: 98n, inFlight: null, epoch: 1n, owner: 'a' }), ['ahead-of-ledger clickhouse 1:98-99', 'ahead-of-ledger timescaledb 1:98-99']],
    ['rows of a partition that the ledger does not know', () => void states.delete(1), ['ahead-of-ledger clickhouse 1:0-99', 'ahead-of-ledger timescaledb 1:0-99']],
  ])('names %s', async (_name, plant, expected) => {
    await plant()

    expect((await verify()).findings).toEqual(expected)
  })

  it('takes the rows of the slice in flight for what they are, whether they are there or not', async () => {
    states.set(1, { nextOffset: 90n, inFlight: { firstOffset: 90n, lastOffset: 99n, token: 't', excluded: [] }, epoch: 1n, owner: 'a' })
    for (let offset = 90n; offset < 100n; offset++) stores.timescaledb.remove(1, offset)

    const { report, findings } = await verify()

    expect(findings).toEqual([])
    expect(report.partitions[1]).toMatchObject({ checkedTo: 90n, inFlight: { firstOffset: 90n, lastOffset: 99n } })
  })

  it('takes a row that a store refused for dead, and in no store', async () => {
    await bury(1, 60n)
    for (const store of Object.values(stores)) store.remove(1, 60n)

    const { report, findings } = await verify()

    expect(findings).toEqual([])
    expect(report.partitions[1]).toMatchObject({ good: 99, dead: 1 })
  })

  it('names a bad record that has no letter, and passes over letters of other consumers', async () => {
    await transport.topics.delete(deadLetterTopic('rides'))
    await transport.topics.create(deadLetterTopic('rides'), { partitions: 1 })
    await bury(0, 7n)
    await bury(0, 30n, 'some-group')

    expect((await verify()).findings).toEqual(['missing dead-letters 0:30-31'])
  })

  it('expects nothing of what is left out or routed elsewhere', async () => {
    const [definition] = definePipelines([
      { topic: 'rides', fields: { id: 'int64', time: 'timestamp', fare: 'decimal(8,2)' }, time: 'time', id: 'id', partitions: 2, route: ({ id }: { id: bigint }) => (id === 20n ? [] : id === 21n ? ['clickhouse' as const] : ['clickhouse' as const, 'timescaledb' as const]) },
    ]) as [PipelineDefinition]
    for (const partition of [0, 1]) {
      for (const store of Object.values(stores)) store.remove(partition, 20n)
      stores.timescaledb.remove(partition, 21n)
    }
    expect((await verify({ definition })).findings).toEqual([])

    stores.timescaledb.add(1, 20n)
    stores.timescaledb.add(1, 21n)
    expect((await verify({ definition })).findings).toEqual(['not-routed-here timescaledb 1:20-21'])
  })

  it('compares content on demand, and names the column', async () => {
    const row = stores.timescaledb.rows.find(({ partition, offset }) => partition === 1 && offset === 42n) as StoredText
    row.values = [...row.values.slice(0, 2), '1.51', '42']

    expect((await verify()).findings).toEqual([])
    expect((await verify({ deep: true })).findings).toEqual(['different timescaledb 1:42-42 column "fare"'])
  })

  it('goes on where it was interrupted', async () => {
    stores.clickhouse.remove(0, 3n)
    stores.clickhouse.remove(0, 50n)
    const stop = new AbortController()
    let next = 0n
    const interrupted = verify({
      partitions: [0],
      signal: stop.signal,
      onProgress: ({ nextOffset }) => {
        next = nextOffset
        if (nextOffset >= 32n) stop.abort()
      },
    })
    await expect(interrupted).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    expect(next).toBe(32n)
    expect((await verify({ partitions: [0], from: next })).findings).toEqual(['missing clickhouse 0:50-50'])
  })

  it('names what retention removed before it was stored', async () => {
    states.set(0, { nextOffset: 0n, inFlight: null, epoch: 1n, owner: 'a' })
    stores.clickhouse.rows = []
    stores.timescaledb.rows = []
    const openPartition: MessagingTransport['openPartition'] = async (topic, ...rest) => {
      const reader = await transport.openPartition(topic, ...rest)
      return topic === 'rides' ? Object.assign(reader, { bounds: async () => ({ earliest: 10n, latest: 100n }) }) : reader
    }
    const cut = { topics: transport.topics, openPartition } as MessagingTransport

    const { findings, report } = await verify({ transport: cut, partitions: [0] })

    expect(findings).toEqual(['lost-to-retention topic 0:0-9'])
    expect(report.partitions[0]).toMatchObject({ removed: 10n, checkedTo: 10n })
  })
})
