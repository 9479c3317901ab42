import { type Colour, type Command, type CommandCall, createClosers, guardFromKeys } from '@smart-whale/app-process'
import { silentLogger } from '@smart-whale/interfaces'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { checkClickHouseServer } from '../checks/check-clickhouse.ts'
import { type CheckResult, exitCodeOfAll, good, orAway, warning } from '../checks/check-result.ts'
import { checkTimescaleServer } from '../checks/check-timescaledb.ts'
import { checkTopics } from '../checks/check-topics.ts'
import { checkTables } from '../checks/refuse-drift.ts'
import { type IngestorConfig, misspeltVariables, readConfig } from '../config.ts'
import { openBroker, replicationFor } from '../open-broker.ts'
import { inDatabase, isDatabaseMissing, refuseMissingStores, storeForOperator } from '../open-stores.ts'
import { readPipelinesFile } from '../read-pipelines-file.ts'
import { count } from './words.ts'

/** Compares everything that is configured with what is there. */
export const check: Command = {
  name: 'check',
  summary: 'Checks configuration, brokers, topics, tables and the settings that the promise rests on; reports drift',
  usage: '[--strict] [--json]',
  help: `  --strict   warnings count as well
  --json     {"results": [{"about", "level", "detail", "code"}]}

Changes nothing. Levels: "good"; "warning" is what the start mends, or what weakens a promise without breaking it; "wrong" is what "run" refuses;
"failed" could not be looked at. Each names what to do.`,
  examples: [
    ['', 'before the first start, and after every change of the pipelines file'],
    ['--strict --json', 'in a pipeline that deploys: ends with 3 for the least drift'],
  ],
  exits: { 0: 'all is good, or the start mends it', 3: 'something is wrong; with --strict also: there is a warning' },
  options: { strict: { type: 'boolean' } },
  maxPositionals: 0,
  run: async (call) => {
    const config = readConfig(call.environment)
    const definitions = await readPipelinesFile(config.pipelinesFile, config)
    refuseMissingStores(definitions, config)
    const results = [...(await checkEnvironment(config, call.environment)), good('pipelines file', count(definitions.length, 'pipeline')), ...(await runChecks(config, definitions, call))]
    if (call.json) call.print(JSON.stringify({ results: results.map(({ about, level, detail, code }) => ({ about, level, detail, code })) }))
    else printResults(results, call)
    return exitCodeOfAll(results, call.values.strict === true)
  },
}

const LEVELS: Readonly<Record<CheckResult['level'], Colour>> = { good: 'green', warning: 'yellow', wrong: 'red', failed: 'red' }

function printResults(results: readonly CheckResult[], { print, paint }: CommandCall): void {
  const width = Math.max(...results.map(({ about }) => about.length))
  for (const { about, level, detail } of results) print(`${paint(LEVELS[level], level.padEnd(7))}  ${about.padEnd(width)}  ${detail}`)
  const levels = Object.keys(LEVELS).map((level) => ({ level, found: results.filter((result) => result.level === level).length }))
  print(levels.flatMap(({ level, found }) => (found === 0 ? [] : [level === 'warning' ? count(found, level) : `${found} ${level}`])).join(', '))
}

async function checkEnvironment({ tokens }: IngestorConfig, environment: CommandCall['environment']): Promise<readonly CheckResult[]> {
  const unread = misspeltVariables(environment).map(({ name, meant }) => warning(`variable ${name}`, `is set, and nothing reads it: did you mean ${meant}?`))
  if (tokens === null) return [...unread, good('access tokens', 'none are taken: no ingest by HTTP, no metrics; set AUTH_JWKS_FILE and AUTH_ISSUER to have them')]
  await guardFromKeys(tokens)
  return [...unread, good('access tokens', `those of ${tokens.AUTH_ISSUER}`)]
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
    const transport = await openBroker(config, closers, silentLogger, signal)
    const replication = await replicationFor(config, transport, signal)
    const topics = await Promise.all(definitions.map((definition) => orAway(`topic ${definition.topic}`, () => checkTopics(definition, transport, replication, signal))))
    const brokers = await transport.topics.brokerCount({ signal })
    return [good('broker', brokers === 1 ? '1 broker answers' : `${brokers} brokers answer`), ...topics.flat()]
  })
}

async function checkBothStores(config: IngestorConfig, definitions: readonly PipelineDefinition[], closers: Closers, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const tablesIn = async (stores: Parameters<typeof checkTables>[1]): Promise<readonly CheckResult[]> =>
    (await Promise.all(definitions.map((definition) => checkTables(definition, stores, signal)))).flat()
  const clickhouse = orAway('ClickHouse', async () => {
    const login = config.clickhouse
    if (login === null) return []
    return inDatabase(login, login.database, async (adapter) => [...(await checkClickHouseServer(adapter, signal)), ...(await tablesIn({ clickhouse: adapter, timescaledb: null }))]).catch(async (error: unknown) => {
      if (!isDatabaseMissing(error)) throw storeForOperator(error)
      return [...(await inDatabase(login, 'system', (adapter) => checkClickHouseServer(adapter, signal))), warning(`ClickHouse database ${login.database}`, 'is not there; the start makes it, and the tables in it')]
    })
  })
  const timescaledb = orAway('PostgreSQL', async () => {
    if (config.databaseUrl === null) return []
    const storage = createTimescaleAdapter({ url: config.databaseUrl })
    closers.add('PostgreSQL', () => storage.disconnect())
    await storage.connect().catch((error: unknown) => Promise.reject(storeForOperator(error)))
    return [...(await checkTimescaleServer(storage, signal)), ...(await tablesIn({ clickhouse: null, timescaledb: storage }))]
  })
  return (await Promise.all([clickhouse, timescaledb])).flat()
}
