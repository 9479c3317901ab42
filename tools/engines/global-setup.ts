import type { TestProject } from 'vitest/node'
import { startTestClickHouse, type TestClickHouse } from './clickhouse.ts'
import type { FoundEngine } from './found.ts'
import { startTestKafka, type TestKafka } from './kafka.ts'
import { startTestPostgres, type TestPostgres } from './postgres.ts'
import { startTestTimescaleDb, type TestTimescaleDb } from './timescaledb.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    clickhouse: TestClickHouse
    postgres: TestPostgres
    /** Real Apache Kafka; `npm run services -- up kafka` starts one. */
    kafka: FoundEngine<TestKafka>
    /** Real TimescaleDB, as a superuser of it. */
    timescaledb: FoundEngine<TestTimescaleDb>
  }
}

/** Starts one real server of each kind for all integration tests; each test makes databases and topics of its own on them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const starting = [startTestClickHouse(), startTestPostgres(), startTestKafka(), startTestTimescaleDb()] as const
  const stopAll = async (): Promise<void> => {
    for (const outcome of await Promise.allSettled(starting)) if (outcome.status === 'fulfilled') await outcome.value.stop()
  }
  try {
    const [clickhouse, postgres, kafka, timescaledb] = await Promise.all(starting)
    project.provide('clickhouse', clickhouse.address)
    project.provide('postgres', postgres.address)
    project.provide('kafka', kafka.engine)
    project.provide('timescaledb', timescaledb.engine)
  } catch (error) {
    await stopAll()
    throw error
  }
  return stopAll
}
