import { definePipelines, type PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'

import { type FreshDatabase, freshDatabase } from '../../../tools/engines/fresh-database.ts'
import { freshTimescaleDatabase } from '../../../tools/engines/fresh-timescale-database.ts'
import { prepareTables } from '../src/prepare-tables.ts'

/** Workers that begin at the same moment. */
const WORKERS = 4
const ROUNDS = 6

describe.each(['postgres', 'timescaledb'] as const)('tables that several workers prepare at once (%s)', (engine) => {
  let database: FreshDatabase | null = null
  beforeAll(async () => {
    const { found } = inject('timescaledb')
    if (engine === 'postgres') database = await freshDatabase(inject('postgres'))
    else if (found !== null) database = await freshTimescaleDatabase(found)
  })
  afterAll(() => database?.drop())

  it('are made once, and none of the workers fails', async (context) => {
    const needed = inject('timescaledb')
    if (database === null) return context.skip(`needs TimescaleDB: ${needed.found === null ? needed.remedy : ''}`)
    const { url } = database
    const timescaledbs = Array.from({ length: WORKERS }, () => createTimescaleAdapter({ url }))
    for (let round = 0; round < ROUNDS; round++) {
      const topic = `rides_${round}`
      const [definition] = definePipelines([{ topic, fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', sinks: ['timescaledb'] }]) as [PipelineDefinition]

      await Promise.all(timescaledbs.map((timescaledb) => prepareTables(definition, { clickhouse: null, timescaledb }, undefined)))

      const indexes = await timescaledbs[0]?.execute<{ name: string }>(`select indexname as name from pg_indexes where tablename = $1 and indexdef like '%brin%'`, [topic])
      expect(indexes).toHaveLength(1)
    }
    for (const timescaledb of timescaledbs) await timescaledb.disconnect()
  })
})
