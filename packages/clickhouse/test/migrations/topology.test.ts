import { describe, expect, it } from 'vitest'
import { GOLDEN_DISTRIBUTED, GOLDEN_REPLICATED } from '../fixtures/topology-golden.ts'
import { migrationWorld } from './migration-world.ts'

const world = migrationWorld()

// Without a Keeper, ON CLUSTER can't run; shards.test.ts runs the rest. The server's parser says whether it would understand.
describe('what a cluster would be sent', () => {
  it('is what the server takes for a statement', async () => {
    const sent = [...GOLDEN_REPLICATED.map(([, statement]) => statement), ...GOLDEN_DISTRIBUTED.flatMap(([, statements]) => statements)]

    for (const statement of sent) {
      const { rows } = await world.database.owner.execute<{ text: string }>('SELECT formatQuerySingleLine({statement:String}) AS text', { statement })
      if (!/^(?:INSERT|SELECT)/.test(statement)) expect(rows[0]?.text).toContain('ON CLUSTER')
    }
  })

  it('is told by a dry run, of files that know nothing of it', async () => {
    const folder = await world.folderWith({
      '1_rides.up.sql': 'CREATE TABLE rides (id UInt64) ENGINE = MergeTree ORDER BY id',
      '2_more.up.sql': 'ALTER TABLE rides ADD COLUMN x Int8',
    })

    const report = await world.manage({ topology: { kind: 'distributed', cluster: 'main' } }).runMigrations(folder, { dryRun: true })

    expect(report.planned.map(({ statements }) => statements.length)).toEqual([2, 2])
    expect(report.planned[1]?.statements).toEqual(["ALTER TABLE rides_local ON CLUSTER 'main' ADD COLUMN x Int8", "ALTER TABLE rides ON CLUSTER 'main' ADD COLUMN x Int8"])
  })

  it('needs a cluster with a name', () => {
    expect(() => world.manage({ topology: { kind: 'replicated', cluster: '' } })).toThrow(/system\.clusters/)
  })
})
