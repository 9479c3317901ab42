import { createInterface } from 'node:readline'
import { OperationError } from '@smart-whale/interfaces'
import { Quota } from './quota.ts'
import { readWorkerConfig, type WorkerConfig } from './worker-config.ts'

/** A consumer that runs until it is stopped, as far as its quota goes. */
interface RunningConsumer {
  stop(): Promise<void>
}

/** What a worker may be: its first argument. Each loads only what it works with. */
const CONSUMERS: Readonly<Record<string, (config: WorkerConfig, quota: Quota) => Promise<RunningConsumer>>> = {
  'kafkajs-each-message': async (config, quota) => (await import('./kafkajs-each-message.ts')).consumeEachMessage(config, quota),
  'kafkajs-each-batch': async (config, quota) => (await import('./kafkajs-each-batch.ts')).consumeEachBatch(config, quota),
  pipeline: async (config, quota) => (await import('./our-pipeline.ts')).runPipeline(config, quota, false),
  'kafkajs-passthrough': async (config, quota) => (await import('./kafkajs-passthrough.ts')).passThroughEachMessage(config, quota),
  passthrough: async (config, quota) => (await import('./our-passthrough.ts')).passThrough(config, quota),
  'pipeline-by-row': async (config, quota) => (await import('./our-pipeline.ts')).runPipeline(config, quota, true),
}

async function run(): Promise<void> {
  const start = CONSUMERS[process.argv[2] ?? '']
  if (start === undefined) throw new OperationError(`a worker is one of ${Object.keys(CONSUMERS).join(', ')}`)
  const quota = new Quota()
  const consumer = await start(readWorkerConfig(), quota)
  process.stdout.write('ready\n')
  for await (const line of createInterface({ input: process.stdin })) {
    await quota.consume(Number(line))
    process.stdout.write('done\n')
  }
  quota.end()
  await consumer.stop()
}

run().then(
  // Connections that a client keeps would hold the process.
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`ingest worker: ${(error as Error).stack ?? String(error)}\n`)
    process.exit(1)
  },
)
