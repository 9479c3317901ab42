import type { Row, TurnBatchWriter } from '@smart-whale/interfaces'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatchWriter, createTable } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let made = 0
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

const columns = { time: "DateTime64(3, 'UTC')", source_topic: 'LowCardinality(String)', source_partition: 'Int32', source_offset: 'Int64' }
const DAY_MS = 86_400_000
const rowOf = (offset: number, daysAgo: number): Row => ({ time: new Date(Date.now() - daysAgo * DAY_MS), source_topic: 'topic', source_partition: 0, source_offset: BigInt(offset) })
const slice = { topic: 'topic', partition: 0, firstOffset: 0n, lastOffset: 9n }

async function tableWith(change: string | null): Promise<{ name: string; writer: TurnBatchWriter<Row> }> {
  const name = `expiry_${made++}`
  await createTable(database.owner, name, { columns, primaryKey: ['source_offset'] }, { deduplicationWindow: 100 })
  if (change !== null) await database.owner.execute(`ALTER TABLE ${name} ${change}`)
  return { name, writer: createBatchWriter(database.owner, name) }
}

describe('which rows a table may have removed for their age', () => {
  it.each([
    ['keeps all', null, []],
    ['keeps them for days', 'MODIFY TTL `time` + INTERVAL 7 DAY', [1, 2]],
    ['keeps them by another rule', 'MODIFY TTL toDateTime(`time`) + INTERVAL 1 MONTH', [0, 1, 2, 3]],
    ['keeps some of them', 'MODIFY TTL `time` + INTERVAL 7 DAY DELETE WHERE source_offset > 5', [0, 1, 2, 3]],
  ])('one that %s', async (_what, change, expired) => {
    const { writer } = await tableWith(change)

    expect(await writer.expiredAmong?.([rowOf(0, 0), rowOf(1, 8), rowOf(2, 7), rowOf(3, 6.9)])).toEqual(expired)
  })
})

describe('a table that has removed what was stored under a token', () => {
  it('drops a repeat under it all the same, and so do its views', async () => {
    const { name, writer } = await tableWith('MODIFY TTL `time` + INTERVAL 1 DAY')
    await createTable(database.owner, `${name}_view`, { columns: { source_offset: 'Int64' }, primaryKey: ['source_offset'] }, { deduplicationWindow: 100 })
    await database.owner.execute(`CREATE MATERIALIZED VIEW ${name}_feed TO ${name}_view AS SELECT source_offset FROM ${name}`)
    const batch = { rows: [rowOf(0, 5), rowOf(1, 5)], token: 'a' }
    await writer.write(batch)
    await database.owner.execute(`OPTIMIZE TABLE ${name} FINAL`)
    expect(await writer.storedOffsets(slice)).toEqual([])

    await writer.write(batch)

    expect(await writer.wouldDropRepeat?.(slice)).toBe(true)
    const { rows } = await database.owner.execute<Row & { n: bigint }>(`SELECT toInt64(count()) AS n FROM ${name}_view`)
    expect(rows[0]?.n).toBe(2n)
  })
})
