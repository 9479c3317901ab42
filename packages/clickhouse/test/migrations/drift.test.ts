import { describe, expect, it } from 'vitest'
import { migrationWorld } from './migration-world.ts'

const world = migrationWorld()

const RIDES = `CREATE TABLE rides (
  id UInt64, at DateTime, price Decimal(10, 2) CODEC(ZSTD(1)), note String DEFAULT 'x, y',
  INDEX by_price price TYPE minmax GRANULARITY 1, CONSTRAINT sane CHECK price >= 0
) ENGINE = MergeTree ORDER BY (id, at) TTL at + INTERVAL 30 DAY SETTINGS ttl_only_drop_parts = 1`
const FILES = { '1_rides.up.sql': `${RIDES};\nCREATE MATERIALIZED VIEW daily ENGINE = SummingMergeTree ORDER BY day AS SELECT toDate(at) AS day, count() AS n FROM rides GROUP BY day` }

describe('what other hands changed', () => {
  it('is nothing after a run', async () => {
    await world.manage().runMigrations(await world.folderWith(FILES))

    const { since, drift } = await world.manage().getDrift()

    expect(drift).toEqual([])
    expect(since).toBeInstanceOf(Date)
  })

  it('can not be told before the first run', async () => {
    expect(await world.manage().getDrift()).toEqual({ since: null, drift: [] })
  })

  it('is told thing by thing, and each fix takes its change back', async () => {
    await world.manage().runMigrations(await world.folderWith(FILES))
    const { owner } = world.database
    for (const change of [
      'ALTER TABLE rides ADD COLUMN extra UInt8 AFTER id',
      'ALTER TABLE rides MODIFY COLUMN price CODEC(LZ4)',
      'ALTER TABLE rides DROP COLUMN note',
      'ALTER TABLE rides DROP INDEX by_price',
      'ALTER TABLE rides DROP CONSTRAINT sane, ADD CONSTRAINT sane CHECK price >= 1',
      'ALTER TABLE rides MODIFY TTL at + INTERVAL 3 DAY',
      'ALTER TABLE rides MODIFY SETTING min_bytes_for_wide_part = 1',
      'CREATE TABLE by_hand (x Int8) ENGINE = Memory',
    ])
      await owner.execute(change, {}, { settings: { alter_sync: 1 } })

    const { drift } = await world.manage().getDrift()
    expect(drift.map(({ table, what }) => `${table}: ${what}`)).toEqual([
      'by_hand: table',
      'rides: column price',
      'rides: column note',
      'rides: column extra',
      'rides: INDEX by_price',
      'rides: CONSTRAINT sane',
      'rides: TTL',
      'rides: setting min_bytes_for_wide_part',
    ])
    for (const { fix } of drift) await owner.execute(fix ?? '')

    expect((await world.manage().getDrift()).drift).toEqual([])
  })

  it('stays a difference when a later run does not touch it, and is none once it was accepted', async () => {
    const folder = await world.folderWith(FILES)
    await world.manage().runMigrations(folder)
    await world.database.owner.execute('ALTER TABLE rides MODIFY TTL at + INTERVAL 3 DAY')
    await world.write(folder, { '2_more.up.sql': 'CREATE TABLE more (x Int8) ENGINE = Memory' })
    await world.manage().runMigrations(folder)

    const still = await world.manage().getDrift()
    await world.manage().acceptDrift()

    expect(still.drift.map(({ table, what }) => [table, what])).toEqual([['rides', 'TTL']])
    expect((await world.manage().getDrift()).drift).toEqual([])
  })
})
