import { ConfigurationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { GOLDEN_DISTRIBUTED, GOLDEN_REPLICATED } from '../../test/fixtures/topology-golden.ts'
import { statementsFor, tablesThatShard } from './statements-for-topology.ts'
import type { Topology } from './topology.ts'

const REPLICATED: Topology = { kind: 'replicated', cluster: 'main' }
const DISTRIBUTED: Topology = { kind: 'distributed', cluster: 'main', shardingKeys: { rides: 'cityHash64(id)' } }
const SHARDED = new Set(['rides', 'daily'])

describe('on one server', () => {
  it('a statement is what it is', () => {
    expect(statementsFor('CREATE TABLE a (x Int8) ENGINE = MergeTree ORDER BY x', { kind: 'single' })).toEqual(['CREATE TABLE a (x Int8) ENGINE = MergeTree ORDER BY x'])
  })
})

describe('on replicas', () => {
  it.each(GOLDEN_REPLICATED)('%s', (written, sent) => {
    expect(statementsFor(written, REPLICATED)).toEqual([sent])
  })

  it('the place in Keeper and the name there may be others', () => {
    const topology: Topology = { kind: 'replicated', cluster: '{cluster}', keeperPath: "/it's/{uuid}", replicaName: '{host}' }

    expect(statementsFor('CREATE TABLE a (x Int8) ENGINE = MergeTree ORDER BY x', topology)).toEqual([
      "CREATE TABLE a ON CLUSTER '{cluster}' (x Int8) ENGINE = ReplicatedMergeTree('/it\\'s/{uuid}', '{host}') ORDER BY x",
    ])
  })

  it('need a cluster', () => {
    expect(() => statementsFor('SELECT 1', { kind: 'replicated', cluster: ' ' })).toThrow(expect.toSatisfy((error) => ConfigurationError.isInstance(error)) as Error)
  })
})

describe('on shards', () => {
  it.each(GOLDEN_DISTRIBUTED)('%s', (written, sent) => {
    expect(statementsFor(written, DISTRIBUTED, SHARDED)).toEqual(sent)
  })

  it('are the tables that keep rows', () => {
    expect(tablesThatShard(['CREATE TABLE app.a (x Int8) ENGINE = MergeTree ORDER BY x', 'CREATE TABLE b (x Int8) ENGINE = Memory', 'CREATE VIEW c AS SELECT 1', 'DROP TABLE d'])).toEqual(['a'])
  })
})
