import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Clock, OperationError, systemClock } from '@smart-whale/interfaces'
import { createBatchWriter } from '@smart-whale/clickhouse'
import { createPipeline, definePipelines, type IngestRow, type Pipeline, type PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { createMigrationManager, createTransactionalBatchWriter, IngestLedger } from '@smart-whale/timescaledb'
import { prepareTables } from '../src/prepare-tables.ts'
import { type IngestorWorld, openWorld, worldOf } from './ingestor-world.ts'
import { runHere } from './run-here.ts'

let opened: IngestorWorld | null
let before = 0
beforeAll(async () => {
  opened = await openWorld()
  if (opened !== null) await createMigrationManager(opened.timescaledb).up()
})
afterAll(() => opened?.close())

type Sinks = readonly ('clickhouse' | 'timescaledb')[]

/** Two files that name one topic and its tables, each with a pipeline of its own. */
async function twoFiles(world: IngestorWorld, sinks: Sinks, partitions = 2) {
  const topic = world.newTopic()
  const entryOf = (name: string) => ({ topic, name, table: topic, fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', partitions, sinks, limits: { maxAgeMs: 20 } })
  const names = [`${topic}_first`, `${topic}_second`] as const
  const definitions = definePipelines([entryOf(names[0])]).concat(definePipelines([entryOf(names[1])])) as [PipelineDefinition, PipelineDefinition]
  await world.transport.topics.create(topic, { partitions, replication: 1 })
  const path = await world.file(`${topic}.json`, [entryOf(names[1])])
  await prepareTables(definitions[0], { clickhouse: world.clickhouse, timescaledb: sinks.includes('timescaledb') ? world.timescaledb : null }, undefined)
  return { topic, names, definitions, path }
}

/** Who was refused by a store waits long to hear the same of the group, which knows nothing of another pipeline. */
const impatient: Clock = { ...systemClock, setTimeout: (callback, delayMs) => systemClock.setTimeout(callback, Math.min(delayMs, 1000)) }

/** What a pipeline of this process works with. */
interface PipelineParts {
  /** Whether its ledger is in PostgreSQL. @default where that is one of its stores */
  readonly isInPostgres?: boolean
  readonly writerOf?: typeof createBatchWriter<IngestRow>
}

function pipelineOf({ transport, clickhouse, timescaledb }: IngestorWorld, definition: PipelineDefinition, { isInPostgres, writerOf = createBatchWriter }: PipelineParts = {}): Pipeline {
  const { sinks, tables } = definition
  const ledger = (isInPostgres ?? sinks.includes('timescaledb')) ? new IngestLedger(timescaledb) : null
  const stores = {
    ledger,
    clickhouse: sinks.includes('clickhouse') ? writerOf(clickhouse, tables.clickhouse) : null,
    timescaledb: ledger === null || !sinks.includes('timescaledb') ? null : createTransactionalBatchWriter<IngestRow>(timescaledb, tables.timescaledb, { ledger }),
  }
  return createPipeline({ definition, transport, stores, owner: `worker-${before++}`, clock: impatient })
}

/** A writer whose server is gone once it has stored a batch, before it could say so. */
function lastWords(...given: Parameters<typeof createBatchWriter<IngestRow>>): ReturnType<typeof createBatchWriter<IngestRow>> {
  const writer = createBatchWriter<IngestRow>(...given)
  let isGone = false
  return new Proxy(writer, {
    get: (target, property) => async (...args: unknown[]) => {
      const answer = isGone ? undefined : ((await (Reflect.get(target, property) as (...args: unknown[]) => unknown)(...args)) as unknown)
      isGone ||= property === 'write'
      if (isGone) throw new OperationError('away', { retryable: true })
      return answer
    },
  })
}

async function send({ transport }: IngestorWorld, topic: string, first: number, count: number, partitions = 2): Promise<void> {
  const events = Array.from({ length: count }, (_, index) => ({ value: JSON.stringify({ id: first + index, time: '2026-01-01T00:00:00Z' }), partition: index % partitions }))
  await transport.send(topic, events)
}

/** Rows, and different events among them, in each store. */
async function counted({ clickhouse, timescaledb }: IngestorWorld, table: string, sinks: Sinks): Promise<Record<string, readonly number[]>> {
  const query = `select count(*) as n, count(distinct id) as d from ${table}`
  const found: Record<string, readonly number[]> = {}
  if (sinks.includes('clickhouse')) found['clickhouse'] = (await clickhouse.execute(query)).rows.map(({ n, d }) => [Number(n), Number(d)]).flat()
  if (sinks.includes('timescaledb')) found['timescaledb'] = (await timescaledb.execute(query)).map(({ n, d }) => [Number(n), Number(d)]).flat()
  return found
}

const onceEach = (sinks: Sinks, count: number): Record<string, readonly number[]> => Object.fromEntries(sinks.map((sink) => [sink, [count, count]]))

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let round = 0; !(await condition()); round++) {
    if (round > 1_200) throw new Error('it did not come to that in a minute')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A way to ClickHouse on which something happens before the second request with these words goes through. */
async function lineTo(url: string, words: string, happens: () => Promise<unknown>): Promise<{ readonly url: string; readonly server: Server }> {
  let left = 2
  const server = createServer(async (incoming, answer) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    if ((body.includes(words) || decodeURIComponent((incoming.url ?? '').replaceAll('+', ' ')).includes(words)) && --left === 0) await happens()
    const onward = request(new URL(incoming.url ?? '/', url), { method: incoming.method ?? 'POST', headers: { ...incoming.headers, host: new URL(url).host } }, (response) => {
      answer.writeHead(response.statusCode ?? 500, response.headers)
      response.pipe(answer)
    })
    onward.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

const isDone = async (pipeline: Pipeline): Promise<boolean> => (await pipeline.lag()) === 0

describe.each([['both stores'], ['ClickHouse alone'], ['ClickHouse alone, its ledger in PostgreSQL']] as const)('a pipeline that ended in the middle of a slice, into %s', (where) => {
  const sinks: Sinks = where === 'both stores' ? ['clickhouse', 'timescaledb'] : ['clickhouse']
  const isInPostgres = where !== 'ClickHouse alone'

  it('is taken over as it is: the other one finishes the slice, and stores nothing of it again', async (context) => {
    const world = worldOf(opened, context)
    const { topic, names, definitions, path } = await twoFiles(world, sinks, 1)
    await send(world, topic, 0, 50, 1)
    const first = pipelineOf(world, definitions[0], { isInPostgres, writerOf: lastWords })
    await first.start()
    await until(() => first.status().state === 'paused')
    await first.stop()
    const { DATABASE_URL, ...withoutPostgres } = world.environment
    const environment = { ...withoutPostgres, ...(isInPostgres ? { DATABASE_URL: DATABASE_URL as string } : {}), PIPELINES_FILE: path }

    const taken = await runHere(['take-over', '--from', names[0], '--pipeline', names[1], '--wait', '20s'], environment)

    expect(taken, taken.errors).toMatchObject({ code: 0 })
    const second = pipelineOf(world, definitions[1], { isInPostgres })
    await send(world, topic, 50, 50, 1)
    await second.start()
    await until(() => isDone(second))
    await second.stop()
    expect(await counted(world, topic, sinks)).toEqual(onceEach(sinks, 100))
  })
})

describe.each([['both stores'], ['ClickHouse alone'], ['ClickHouse alone, their ledger in PostgreSQL'], ['PostgreSQL alone']] as const)('two pipelines of one topic, into the same tables of %s', (where) => {
  const sinks: Sinks = where === 'both stores' ? ['clickhouse', 'timescaledb'] : where.startsWith('ClickHouse') ? ['clickhouse'] : ['timescaledb']
  const isInPostgres = where !== 'ClickHouse alone'

  it('that begin at once, on empty tables: one stores each row once, the other one halts and says what to do', async (context) => {
    const world = worldOf(opened, context)
    const { topic, definitions } = await twoFiles(world, sinks, 3)
    await send(world, topic, 0, 200, 3)
    const pipelines = definitions.map((definition) => pipelineOf(world, definition, { isInPostgres }))
    try {
      await Promise.all(pipelines.map((pipeline) => pipeline.start()))

      await until(() => pipelines.some((pipeline) => pipeline.status().state === 'halted'))
      const [winner, loser] = (pipelines[0]?.status().state === 'halted' ? pipelines.toReversed() : pipelines) as [Pipeline, Pipeline]
      await until(() => isDone(winner))

      expect(await counted(world, topic, sinks)).toEqual(onceEach(sinks, 200))
      const { reason } = loser.status()
      for (const named of [topic, winner.definition.name, loser.definition.name, 'take-over --from']) expect(reason).toContain(named)
    } finally {
      await Promise.all(pipelines.map((pipeline) => pipeline.stop()))
    }
  })

  it('of which the second has another name for the first: it takes over by command, and the first one is refused', async (context) => {
    const world = worldOf(opened, context)
    const { topic, names, definitions, path } = await twoFiles(world, sinks)
    const [first, second] = definitions.map((definition) => pipelineOf(world, definition, { isInPostgres })) as [Pipeline, Pipeline]
    await send(world, topic, 0, 100)
    await first.start()
    await until(() => isDone(first))
    await first.stop()
    await send(world, topic, 100, 100)
    const refused = pipelineOf(world, second.definition, { isInPostgres })
    await refused.start()
    await until(() => refused.status().state === 'halted')
    await refused.stop()
    const { DATABASE_URL, ...withoutPostgres } = world.environment
    const environment = { ...withoutPostgres, ...(isInPostgres ? { DATABASE_URL: DATABASE_URL as string } : {}), PIPELINES_FILE: path }

    const taken = await runHere(['take-over', '--from', names[0], '--pipeline', names[1], '--json'], environment)
    const again = await runHere(['take-over', '--from', names[0], '--pipeline', names[1]], environment)

    expect(taken, taken.errors).toMatchObject({ code: 0 })
    expect(JSON.parse(taken.output)).toEqual({ pipeline: names[1], from: names[0], topic, tables: [...(sinks.includes('timescaledb') ? [`PostgreSQL ${topic}`] : []), ...(sinks.includes('clickhouse') ? [`ClickHouse ${topic}`] : [])], progress: [0, 1], turns: sinks.includes('clickhouse') ? [0, 1] : [] })
    expect(again).toMatchObject({ code: 4 })
    await second.start()
    await until(() => isDone(second))
    const late = pipelineOf(world, first.definition, { isInPostgres })
    await send(world, topic, 200, 10)
    await late.start()
    await until(() => late.status().state === 'halted')
    await until(() => isDone(second))
    await Promise.all([second.stop(), late.stop()])
    expect(await counted(world, topic, sinks)).toEqual(onceEach(sinks, 210))
  })
})

describe('a take-over command that finds the table taken over already, and sleeps until that was taken back', () => {
  it('gives nobody a table without its progress: it ends, and the one that has both goes on', async (context) => {
    const world = worldOf(opened, context)
    const { topic, names, definitions, path } = await twoFiles(world, ['clickhouse'], 1)
    await send(world, topic, 0, 20, 1)
    const first = pipelineOf(world, definitions[0])
    await first.start()
    await until(() => isDone(first))
    await first.stop()
    const { DATABASE_URL: _none, ...environment } = world.environment
    const back = await world.file(`${topic}-back.json`, [{ topic, name: names[0], table: topic, fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', partitions: 1, sinks: ['clickhouse'] }])
    const takeOver = (from: string, pipeline: string, file: string, url = world.environment['CLICKHOUSE_URL'] as string) => runHere(['take-over', '--from', from, '--pipeline', pipeline], { ...environment, CLICKHOUSE_URL: url, PIPELINES_FILE: file })
    expect(await takeOver(names[0], names[1], path)).toMatchObject({ code: 0 })
    const line = await lineTo(world.environment['CLICKHOUSE_URL'] as string, 'FROM system.tables', async () => expect(await takeOver(names[1], names[0], back)).toMatchObject({ code: 0 }))

    const late = await takeOver(names[0], names[1], path, line.url)
    line.server.close()

    expect(late, late.errors).toMatchObject({ code: 3 })
    const again = pipelineOf(world, definitions[0])
    await send(world, topic, 20, 20, 1)
    await again.start()
    await until(async () => again.status().state === 'halted' || (await isDone(again)))
    await again.stop()
    expect(await counted(world, topic, ['clickhouse'])).toEqual(onceEach(['clickhouse'], 40))
  })
})
