import { type Command, type CommandCall, createClosers, EXIT } from '@smart-whale/app-process'
import { createAdapter } from '@smart-whale/clickhouse'
import { silentLogger } from '@smart-whale/interfaces'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { checkClickHouse, checkClickHouseServer } from '../checks/check-clickhouse.ts'
import { type CheckResult, good, orAway } from '../checks/check-result.ts'
import { checkTimescale, checkTimescaleServer } from '../checks/check-timescaledb.ts'
import { checkTopics } from '../checks/check-topics.ts'
import { type IngestorConfig, readConfig } from '../config.ts'
import { createTransport, replicationFor } from '../open-broker.ts'
import { refuseMissingStores } from '../open-stores.ts'
import { readPipelinesFile } from '../read-pipelines-file.ts'

/** Compares everything that is configured with what is there. */
export const check: Command = {
  name: 'check',
  summary: 'Checks configuration, brokers, topics, tables and the settings that the promise rests on; reports drift',
  usage: '[--strict] [--json]',
  help: `  --strict   warnings count as well

Changes nothing. A warning is what the start mends, or what weakens a promise without breaking it; each names what to do.

Exit codes: 0 good; 1 it could not be done; 2 the command line, environment or pipelines file is wrong; 3 something is wrong.`,
  options: { strict: { type: 'boolean' } },
  maxPositionals: 0,
  run: async (call) => {
    const config = readConfig()
    const definitions = await readPipelinesFile(config.pipelinesFile)
    refuseMissingStores(definitions, config)
    const results = [good('pipelines file', `${definitions.length} pipelines`), ...(await runChecks(config, definitions, call))]
    if (call.json) call.print(JSON.stringify({ results }))
    else for (const { about, level, detail } of results) call.print(`${level.padEnd(7)}  ${about}: ${detail}`)
    const isBad = results.some(({ level }) => level === 'wrong' || (call.values.strict === true && level === 'warning'))
    return isBad ? EXIT.found : EXIT.ok
  },
}

/** The broker and both stores side by side; one that is away keeps nobody from looking at the others. */
async function runChecks(config: IngestorConfig, definitions: readonly PipelineDefinition[], call: CommandCall): Promise<readonly CheckResult[]> {
  const closers = createClosers(silentLogger)
  try {
    const found = await Promise.all([checkBroker(config, definitions, closers, call.signal), checkBothStores(config, definitions, closers, call.signal)])
    return found.flat()
  } finally {
    await closers.close()
  }
}

type Closers = ReturnType<typeof createClosers>

function checkBroker(config: IngestorConfig, definitions: readonly PipelineDefinition[], closers: Closers, signal: AbortSignal): Promise<readonly CheckResult[]> {
  return orAway('broker', async () => {
    const transport = createTransport(config, silentLogger)
    closers.add('broker', () => transport.stop())
    await transport.start({ signal })
    const replication = await replicationFor(config, transport, signal)
    const topics = await Promise.all(definitions.map((definition) => orAway(`topic ${definition.topic}`, () => checkTopics(definition, transport, replication, signal))))
    return [good('broker', `${await transport.topics.brokerCount({ signal })} answer`), ...topics.flat()]
  })
}

async function checkBothStores(config: IngestorConfig, definitions: readonly PipelineDefinition[], closers: Closers, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const clickhouse = orAway('ClickHouse', async () => {
    if (config.clickhouse === null) return []
    const adapter = createAdapter(config.clickhouse)
    closers.add('ClickHouse', () => adapter.close())
    const server = await checkClickHouseServer(adapter, signal)
    const tables = await Promise.all(definitions.filter(({ sinks }) => sinks.includes('clickhouse')).map((definition) => checkClickHouse(definition, adapter, signal)))
    return [...server, ...tables.flat()]
  })
  const timescaledb = orAway('PostgreSQL', async () => {
    if (config.databaseUrl === null) return []
    const storage = createTimescaleAdapter({ url: config.databaseUrl })
    closers.add('PostgreSQL', () => storage.disconnect())
    await storage.connect()
    const server = await checkTimescaleServer(storage, signal)
    const tables = await Promise.all(definitions.filter(({ sinks }) => sinks.includes('timescaledb')).map((definition) => checkTimescale(definition, storage, signal)))
    return [...server, ...tables.flat()]
  })
  return (await Promise.all([clickhouse, timescaledb])).flat()
}
