import type { HotPath } from '../hot-path.ts'
import { buildFranzGo } from '../ingest/franz-go.ts'
import { addWorker, openBench, openHotPath } from '../ingest/ingest-bench.ts'
import { PASSED_THROUGH, TYPED } from '../ingest/ingest-events.ts'

const OURS = 'pipeline'
const OURS_BY_ROW = 'pipeline, a row object an event'
const EACH_MESSAGE = 'kafkajs eachMessage, zod, @clickhouse/client'
const EACH_BATCH = 'kafkajs eachBatch, ajv, adapter.insert'
const FRANZ_GO = 'franz-go, encoding/json, RowBinary'
/** From Kafka into a typed table: read, checked, stored. Ours exactly once, the others at least once. */
export const ingestTyped: HotPath = {
  name: 'ingest-typed',
  title: `Ingest from Kafka into ClickHouse: events of 480 bytes, checked and typed, each contender a process`,
  operation: 'event',
  measure: 'client CPU',
  baseline: EACH_MESSAGE,
  goals: [
    { contender: OURS, against: EACH_MESSAGE, speedAtLeast: 3 },
    { contender: OURS, against: FRANZ_GO, speedAtLeast: 1.6 },
  ],
  needs: 'kafka',
  open: async (engines, size) => {
    const bench = await openBench(engines, { shape: TYPED, size })
    await addWorker(bench, EACH_MESSAGE, 'each_message', 'kafkajs-each-message')
    await addWorker(bench, EACH_BATCH, 'each_batch', 'kafkajs-each-batch')
    const franzGo = await buildFranzGo()
    if (franzGo !== null) await addWorker(bench, FRANZ_GO, 'franz_go', franzGo)
    await addWorker(bench, OURS, 'ours', 'pipeline')
    await addWorker(bench, OURS_BY_ROW, 'by_row', 'pipeline-by-row')
    return openHotPath(bench)
  },
}

/** The same work by one process and by two of one group. Broker, ClickHouse and workers share the machine: two cores are no more than busy. */
export const ingestScaling: HotPath = {
  name: 'ingest-scaling',
  title: `Ingest from Kafka into ClickHouse by one worker and by two, two partitions`,
  operation: 'event',
  measure: 'wall',
  baseline: 'one worker',
  goals: [],
  needs: 'kafka',
  open: async (engines, size) => {
    const bench = await openBench(engines, { shape: TYPED, size, partitions: 2 })
    await addWorker(bench, 'one worker', 'one_worker', 'pipeline')
    await addWorker(bench, 'two workers', 'two_workers', 'pipeline', { processes: 2 })
    return openHotPath(bench)
  },
}

const OURS_AS_IT_IS = 'reader, columns, batch writer'
const EACH_AS_IT_IS = 'kafkajs eachMessage, @clickhouse/client'
const FRANZ_GO_AS_IT_IS = 'franz-go, RowBinary'

/** The same way for values that nobody looks at. Without a pipeline, whose work is to look: at least once, all of them. */
export const ingestPassthrough: HotPath = {
  name: 'ingest-passthrough',
  title: 'Ingest from Kafka into ClickHouse: the bytes of events as they are, 480 each, each contender a process',
  operation: 'event',
  measure: 'client CPU',
  baseline: EACH_AS_IT_IS,
  goals: [],
  needs: 'kafka',
  open: async (engines, size) => {
    const bench = await openBench(engines, { shape: PASSED_THROUGH, size })
    await addWorker(bench, EACH_AS_IT_IS, 'each_message', 'kafkajs-passthrough')
    const franzGo = await buildFranzGo()
    if (franzGo !== null) await addWorker(bench, FRANZ_GO_AS_IT_IS, 'franz_go', franzGo, { environment: { BENCH_SHAPE: 'passthrough' } })
    await addWorker(bench, OURS_AS_IT_IS, 'ours', 'passthrough')
    return openHotPath(bench)
  },
}
