import { expect, it } from 'vitest'
import { silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { Comebacks } from './comebacks.ts'
import { DeadLetterOutbox } from './dead-letter-outbox.ts'
import { sliceDecoder } from './decode-batch.ts'
import { definePipelines } from './define-pipelines.ts'
import { FloodGuard } from './flood-guard.ts'
import { modelClickHouse } from './model/model-stores.ts'
import { modelReader, modelTransport } from './model/model-topic.ts'
import { World } from './model/model-world.ts'
import { ProcessLife } from './model/process-life.ts'
import { runPartition } from './partition-worker.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import { PartitionProgress, pipelineMetrics, type PipelineTotals } from './pipeline-status.ts'
import { createSentLetters } from './sent-letters.ts'
import { SliceBudget } from './slice-budget.ts'

const definition = definePipelines([{ topic: 'model', fields: { id: 'int64', time: 'timestamp' }, time: 'time', sinks: ['clickhouse'] }])[0] as PipelineDefinition

it('goes on behind what the topic has removed, and names topic, partition and offsets of what is lost, once', async () => {
  const world = new World(Array.from({ length: 8 }, () => 'good'), [], { window: 100, mayLoseCommits: false })
  const totals: PipelineTotals = { stored: 0, deadLettered: 0, leftOut: 0, lost: [] }
  const told: unknown[] = []
  const logger = { ...silentLogger, error: (context: unknown, message: unknown) => void told.push([context, message]) } as unknown as typeof silentLogger
  const progress = new PartitionProgress({ name: 'model', table: 'model' }, 0, pipelineMetrics(silentMetrics), totals)
  const run = async (): Promise<void> => {
    const life = new ProcessLife(world)
    // The ledger begins at 0, as one that was there before the topic removed anything.
    const begins = [0n, 0n]
    const reader = { ...modelReader(world, life, 8, () => world.group?.offset === 8n), bounds: async () => ({ earliest: begins.shift() ?? 3n, latest: 8n }) }
    const transport = modelTransport(world, life)
    const source = { topic: 'model', partition: 0, groupId: 'smart-whale-model' }
    await runPartition({
      pipeline: 'model',
      owner: 'me',
      reader,
      stores: { clickhouse: modelClickHouse(world, life, false), timescaledb: null, ledger: null },
      tables: definition.tables,
      deadLetters: new DeadLetterOutbox({ transport, ...source, logger }),
      letters: createSentLetters(transport, source),
      formerLetters: () => ({ deadLetters: new DeadLetterOutbox({ transport, ...source, logger }), letters: createSentLetters(transport, source) }),
      decode: sliceDecoder(definition),
      fingerprint: definition.fingerprint,
      limits: { maxRows: 100, maxBytes: 1_000_000, maxAgeMs: 1 },
      budget: new SliceBudget(),
      flood: new FloodGuard(),
      comebacks: new Comebacks(),
      progress,
      clock: systemClock,
      logger,
      graceMs: 10,
      onStored: () => {},
    })
  }

  await run()
  world.group = null
  world.clickhouse.length = 0
  world.turn = null
  world.tokens.length = 0
  await run()

  expect(world.clickhouse).toEqual([3n, 4n, 5n, 6n, 7n])
  expect(totals.lost).toEqual([{ partition: 0, firstOffset: 0n, lastOffset: 2n }])
  expect(told).toEqual([[{ topic: 'model', partition: 0, firstOffset: '0', lastOffset: '2' }, expect.stringContaining('removed records before they were stored')]])
})
