import { describe, expect, it } from 'vitest'
import { driftBetween } from './drift.ts'
import { shapeOf } from './table-shape.ts'

const RIDES = `CREATE TABLE app.rides (\`id\` UInt64, \`od d\` LowCardinality(String) DEFAULT 'a,b)' CODEC(ZSTD(3)), \`at\` DateTime64(3) TTL toDateTime(at) + toIntervalDay(1), INDEX \`by at\` at TYPE minmax GRANULARITY 2, CONSTRAINT c CHECK id > 0, PROJECTION p (SELECT id ORDER BY at)) ENGINE = ReplacingMergeTree(id) PARTITION BY toYYYYMM(at) PRIMARY KEY id ORDER BY (id, at) TTL toDateTime(at) + toIntervalDay(30) SETTINGS index_granularity = 8192, storage_policy = 'a,b' COMMENT 'ORDER BY x'`

describe('a definition', () => {
  it('is taken apart into what can be changed by itself', () => {
    expect(shapeOf(RIDES)).toEqual({
      kind: 'TABLE',
      engine: 'ReplacingMergeTree(id)',
      columns: { id: 'UInt64', 'od d': "LowCardinality(String) DEFAULT 'a,b)' CODEC(ZSTD(3))", at: 'DateTime64(3) TTL toDateTime(at) + toIntervalDay(1)' },
      parts: { 'INDEX by at': 'at TYPE minmax GRANULARITY 2', 'CONSTRAINT c': 'CHECK id > 0', 'PROJECTION p': '(SELECT id ORDER BY at)' },
      clauses: { 'PARTITION BY': 'toYYYYMM(at)', 'PRIMARY KEY': 'id', 'ORDER BY': '(id, at)', TTL: 'toDateTime(at) + toIntervalDay(30)', COMMENT: "'ORDER BY x'" },
      settings: { index_granularity: '8192', storage_policy: "'a,b'" },
      query: null,
      target: null,
    })
  })

  it('of a view has its query and its target', () => {
    const view = 'CREATE MATERIALIZED VIEW app.v TO app.`t 2` (`id` UInt64, `n` UInt64) AS SELECT id, count() AS n FROM app.rides GROUP BY id ORDER BY id'

    expect(shapeOf(view)).toMatchObject({ kind: 'MATERIALIZED VIEW', engine: null, columns: { id: 'UInt64', n: 'UInt64' }, clauses: {}, target: 'app.`t 2`', query: 'SELECT id, count() AS n FROM app.rides GROUP BY id ORDER BY id' })
  })

  it('of a view that keeps its rows itself has an engine and a query', () => {
    const view = 'CREATE MATERIALIZED VIEW app.v (`n` UInt64) ENGINE = SummingMergeTree ORDER BY n SETTINGS index_granularity = 8192 AS SELECT count() AS n FROM app.rides'

    expect(shapeOf(view)).toMatchObject({ engine: 'SummingMergeTree', clauses: { 'ORDER BY': 'n' }, settings: { index_granularity: '8192' }, query: 'SELECT count() AS n FROM app.rides', target: null })
  })
})

describe('what drifted', () => {
  it('is nothing when nothing changed', () => {
    expect(driftBetween({ rides: RIDES }, { rides: RIDES })).toEqual([])
  })

  it('is told with what was declared, what is, and the statement that mends it', () => {
    const changed = RIDES.replace('`id` UInt64, ', '`id` UInt64, `extra` String, ')
      .replace('CODEC(ZSTD(3))', 'CODEC(LZ4)')
      .replace('toIntervalDay(30)', 'toIntervalDay(9)')
      .replace('CONSTRAINT c CHECK id > 0, ', '')
      .replace('ORDER BY (id, at)', 'ORDER BY id')
      .replace('index_granularity = 8192, ', 'index_granularity = 8192, min_bytes_for_wide_part = 0, ')

    const drift = driftBetween({ rides: RIDES }, { rides: changed })

    expect(drift.map(({ what, fix }) => [what, fix])).toEqual([
      ['column od d', "ALTER TABLE `rides` MODIFY COLUMN `od d` LowCardinality(String) DEFAULT 'a,b)' CODEC(ZSTD(3))"],
      ['column extra', 'ALTER TABLE `rides` DROP COLUMN `extra`'],
      ['CONSTRAINT c', 'ALTER TABLE `rides` ADD CONSTRAINT `c` CHECK id > 0'],
      ['ORDER BY', null],
      ['TTL', 'ALTER TABLE `rides` MODIFY TTL toDateTime(at) + toIntervalDay(30)'],
      ['setting min_bytes_for_wide_part', 'ALTER TABLE `rides` RESET SETTING min_bytes_for_wide_part'],
    ])
    expect(drift[3]).toMatchObject({ declared: '(id, at)', actual: 'id' })
  })

  it('may be a whole table', () => {
    expect(driftBetween({ a: 'CREATE TABLE x.a (`x` Int8) ENGINE = Memory' }, { b: RIDES })).toMatchObject([
      { table: 'a', what: 'table', actual: null, fix: 'CREATE TABLE x.a (`x` Int8) ENGINE = Memory' },
      { table: 'b', what: 'table', declared: null, fix: 'DROP TABLE `b`' },
    ])
  })
})
