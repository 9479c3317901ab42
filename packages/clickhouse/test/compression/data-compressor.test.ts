import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDataCompressor, type DataCompressor } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let compressor: DataCompressor
beforeAll(async () => {
  database = await ownDatabase()
  compressor = createDataCompressor(database.owner, { sampleRows: 20_000 })
  await database.owner.execute('CREATE TABLE ticks (at DateTime, noise UInt64, word LowCardinality(String) CODEC(ZSTD(3)), twice UInt64 ALIAS noise * 2) ENGINE = MergeTree ORDER BY at PARTITION BY toYYYYMM(at) SETTINGS min_bytes_for_wide_part = 0')
  for (const month of ['2001-01-01', '2001-02-01']) {
    await database.owner.execute(`INSERT INTO ticks (at, noise, word) SELECT toDateTime('${month}') + number, rand64(number), 'word' FROM numbers(10000)`)
  }
})
afterAll(() => database.drop())

describe('codec advice', () => {
  it('is measured: steps of one second shrink, noise does not; the statement does what was said', async () => {
    const [at, noise] = await compressor.adviseCodecs('ticks', ['at', 'noise'])

    expect(at?.best.codec).toMatch(/Delta|T64/)
    expect(at?.saving).toBeGreaterThan(0.5)
    expect(at?.measured.length).toBeGreaterThan(6)
    expect(noise).toMatchObject({ statement: null, currentCodec: 'Default' })
    const before = await compressor.getStorageStats('ticks')
    await database.owner.execute(at?.statement ?? '')
    await compressor.optimizeTable('ticks', { final: true })
    const after = await compressor.getStorageStats('ticks')
    const bytes = (stats: typeof before): bigint => stats.columns.find(({ name }) => name === 'at')?.compressedBytes ?? 0n
    expect(Number(bytes(after))).toBeLessThan(Number(bytes(before)) * 0.5)
    const { rows } = await database.owner.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%codec%'")
    expect(rows).toEqual([])
  })

  it('refuses a column that is not there', async () => {
    await expect(compressor.adviseCodecs('ticks', ['nowhere'])).rejects.toThrow('has no "nowhere"')
  })
})

describe('a compressor', () => {
  it('rewrites a part, and all tables but those excluded', async () => {
    const { rows } = await database.owner.execute<{ name: string }>("SELECT name FROM system.parts WHERE active AND database = currentDatabase() AND table = 'ticks' ORDER BY name")

    await expect(compressor.compressPart('ticks', rows[0]?.name ?? '')).resolves.toMatchObject({ rowsAfter: 20_000n, partsAfter: 2 })
    await expect(compressor.compressPart('ticks', 'nowhere')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_DATA_MANAGEMENT', status: 404 })
    await database.owner.execute('CREATE TABLE `other one` (id UInt8) ENGINE = MergeTree ORDER BY id')
    const { optimized, failed } = await compressor.optimizeAllTables(['ticks'], { final: true })
    expect({ tables: optimized.map(({ table }) => table), failed }).toEqual({ tables: ['`other one`'], failed: [] })
  })
})
