import type { TestProject } from 'vitest/node'
import { startTestClickHouse, type TestClickHouse } from './clickhouse.ts'
import type { FoundEngine } from './found.ts'
import { startTestKafka, type TestKafka } from './kafka.ts'
import { neededEngines } from './needed-engines.ts'
import { startTestPostgres, type TestPostgres } from './postgres.ts'
import { startTestTimescaleDb, type TestTimescaleDb } from './timescaledb.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    clickhouse: TestClickHouse
    postgres: TestPostgres
    /** Real Apache Kafka. */
    kafka: FoundEngine<TestKafka>
    /** Real TimescaleDB, as a superuser of it. */
    timescaledb: FoundEngine<TestTimescaleDb>
    /** A newer one, on PostgreSQL 18. */
    timescaledb18: FoundEngine<TestTimescaleDb>
  }
}

/** Starts each engine and hands its address to the tests; answers how it is ended. */
const ENGINES = {
  clickhouse: async (project: TestProject) => {
    const { address, stop } = await startTestClickHouse()
    project.provide('clickhouse', address)
    return stop
  },
  postgres: async (project: TestProject) => {
    const { address, stop } = await startTestPostgres()
    project.provide('postgres', address)
    return stop
  },
  kafka: async (project: TestProject) => {
    const { engine, stop } = await startTestKafka({ isShortLived: true })
    project.provide('kafka', engine)
    return stop
  },
  timescaledb: async (project: TestProject) => {
    const { engine, stop } = await startTestTimescaleDb()
    project.provide('timescaledb', engine)
    return stop
  },
  timescaledb18: async (project: TestProject) => {
    const { engine, stop } = await startTestTimescaleDb(18)
    project.provide('timescaledb18', engine)
    return stop
  },
}

const NAMES = Object.keys(ENGINES) as (keyof typeof ENGINES)[]

/** Starts one real server of each kind that the tests of this run ask for; each test makes databases and topics of its own on them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const needed = neededEngines(NAMES, await selectedFiles(project))
  const starting = NAMES.filter((name) => needed.has(name)).map((name) => ENGINES[name](project))
  const stopAll = async (): Promise<void> => {
    const started = await Promise.allSettled(starting)
    const stops = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    await Promise.all(stops.map((stop) => stop()))
  }
  try {
    await Promise.all(starting)
  } catch (error) {
    await stopAll()
    throw error
  }
  return stopAll
}

/** The integration tests of all projects. While one watches, any of them may run next; a run that ends by itself has the words of its command line. */
async function selectedFiles({ vitest }: TestProject): Promise<readonly string[]> {
  const { config, filenamePattern } = vitest as typeof vitest & { readonly filenamePattern?: string[] }
  const found = await Promise.all(vitest.projects.filter(({ name }) => name.startsWith('integration')).map((project) => project.globTestFiles(config.watch ? [] : filenamePattern)))
  return found.flatMap(({ testFiles }) => testFiles)
}
