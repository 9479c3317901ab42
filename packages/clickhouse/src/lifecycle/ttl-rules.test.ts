import { describe, expect, it } from 'vitest'
import { readTtlRules } from './ttl-rules.ts'

describe('readTtlRules', () => {
  it('finds what whole rows and single columns have', () => {
    const definition =
      "CREATE TABLE d.t (`at` DateTime, `TTL` String DEFAULT 'TTL x' COMMENT 'a TTL, too', `secret` String CODEC(ZSTD(3)) TTL at + toIntervalDay(1), INDEX i TTL TYPE minmax GRANULARITY 1) " +
      "ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY (at, f(a, b)) TTL at + toIntervalDay(30), at + toIntervalDay(7) TO VOLUME 'cold', greatest(at, at) + toIntervalDay(9) RECOMPRESS CODEC(ZSTD(9)) SETTINGS index_granularity = 8192"

    expect(readTtlRules(definition)).toEqual([
      { column: 'secret', expression: 'at + toIntervalDay(1)' },
      { column: null, expression: 'at + toIntervalDay(30)' },
      { column: null, expression: "at + toIntervalDay(7) TO VOLUME 'cold'" },
      { column: null, expression: 'greatest(at, at) + toIntervalDay(9) RECOMPRESS CODEC(ZSTD(9))' },
    ])
  })

  it('finds none where there is none', () => {
    expect(readTtlRules('CREATE TABLE d.t (`id` UInt64) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 8192')).toEqual([])
  })
})
