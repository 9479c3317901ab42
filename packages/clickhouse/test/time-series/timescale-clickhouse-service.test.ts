import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inject } from 'vitest'
import { ClickHouseStorage, TimescaleClickHouseService } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let source: ClickHouseStorage
let service: TimescaleClickHouseService
beforeAll(async () => {
  database = await ownDatabase()
  const { url, owner } = inject('clickhouse')
  source = new ClickHouseStorage({ url, user: owner.username, password: owner.password, database: database.name })
  await source.connect()
  service = new TimescaleClickHouseService(source, database.owner, { sliceRows: 100 })
})
afterAll(async () => {
  await source.disconnect()
  await database.drop()
})

/** Ten rows a moment, a microsecond apart; every seventh has no value. */
async function makeSeries(name: string, rows: number): Promise<void> {
  await database.owner.execute(`CREATE TABLE ${name} (timestamp DateTime64(6, 'UTC'), value Nullable(Float64), sensor String, level Int64) ENGINE = MergeTree ORDER BY timestamp`)
  await database.owner.execute(`INSERT INTO ${name} SELECT toDateTime64('2001-01-31 23:59:59.999990', 6, 'UTC') + toIntervalMicrosecond(intDiv(number, 10)), if(number % 7 = 0, NULL, number / 3), concat('s', toString(number % 3)), number FROM numbers(${rows})`)
}

const count = async (table: string): Promise<unknown> =>
  (await database.owner.execute(`SELECT count() AS rows, uniqExact(metadata) AS different, countIf(isNull(value)) AS nulls, toString(max(timestamp)) AS last FROM ${table}`)).rows[0]

describe('a time series', () => {
  it('is copied once, with its microseconds, nulls and ties; a second run changes nothing', async () => {
    await makeSeries('ticks', 1000)

    const first = await service.migrateTimeSeries('2001-01-31', '2001-02-01', 'ticks')
    const copied = await count('ticks_analytics')
    const second = await service.migrateTimeSeries('2001-01-31', '2001-02-01', 'ticks')

    // Ten of them lie before midnight, those of the end are included.
    expect(first).toEqual({ table: 'ticks', target: 'ticks_analytics', rows: 110, slices: 2, written: 2, gone: 0 })
    expect(second).toEqual({ ...first, written: 0 })
    expect(copied).toEqual({ rows: 110n, different: 110n, nulls: 16n, last: '2001-02-01 00:00:00.000000' })
    expect(await count('ticks_analytics')).toEqual(copied)
    const { rows } = await database.owner.execute("SELECT value, metadata FROM ticks_analytics WHERE JSONExtractInt(metadata, 'level') = 8")
    expect(rows).toEqual([{ value: 8 / 3, metadata: '{"sensor":"s2","level":"8"}' }])
  })

  it('is extended by ranges that overlap, and takes rows that came late, but none of them twice', async () => {
    await makeSeries('late', 500)
    await service.migrateTimeSeries('2001-01-31', '2001-02-01T00:00:00.000015Z', 'late')

    await database.owner.execute("INSERT INTO late VALUES ('2001-01-31 23:59:59.999993', 1, 'late', -1)")
    const report = await service.migrateTimeSeries('2001-01-31T23:59:59.999995Z', '2001-03-01', 'late')

    expect(report.rows).toBe(450)
    expect(await count('late_analytics')).toMatchObject({ rows: 501n, different: 501n })
  })

  it('keeps rows that the source has no more, and says when one was changed', async () => {
    await makeSeries('altered', 300)
    await service.migrateTimeSeries('2001-01-31', '2001-03-01', 'altered')

    await database.owner.execute('DELETE FROM altered WHERE level < 50')
    expect(await service.migrateTimeSeries('2001-01-31', '2001-03-01', 'altered')).toMatchObject({ rows: 250, gone: 50, written: 0 })
    expect(await count('altered_analytics')).toMatchObject({ rows: 300n })
    await database.owner.execute('ALTER TABLE altered UPDATE value = -1 WHERE level = 120 SETTINGS mutations_sync = 2')
    await expect(service.migrateTimeSeries('2001-01-31', '2001-03-01', 'altered')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_TIME_SERIES_CHANGED', status: 409 })
    expect(await count('altered_analytics')).toMatchObject({ rows: 300n, different: 300n })
  })

  it('has the columns that a mapping names', async () => {
    await makeSeries('mapped', 20)

    await service.migrateTimeSeries('2001-01-31', '2001-03-01', 'mapped', { mapping: { value: 'level', metadata: ['sensor'], target: 'levels' } })

    const { rows } = await database.owner.execute('SELECT toString(timestamp) AS at, value, metadata FROM levels ORDER BY value LIMIT 1 OFFSET 11')
    expect(rows).toEqual([{ at: '2001-01-31 23:59:59.999991', value: 11, metadata: '{"sensor":"s2"}' }])
    await expect(service.migrateTimeSeries('2001-01-31', '2001-03-01', 'mapped', { mapping: { value: 'nowhere', target: 'other' } })).rejects.toThrow('no column "nowhere"')
    await expect(service.migrateTimeSeries('2001-01-31', '2000-03-01', 'mapped')).rejects.toThrow('end must not lie before start')
    await expect(service.migrateTimeSeries('soon', '2000-03-01', 'mapped')).rejects.toThrow('start must be a Date')
  })
})
