import type { TestProject } from 'vitest/node'
import { startTestClickHouse, type TestClickHouse } from './clickhouse.ts'
import type { FoundEngine } from './found.ts'
import { findTestKafka, type TestKafka } from './kafka.ts'
import { startTestPostgres, type TestPostgres } from './postgres.ts'
import { findTestTimescaleDb } from './timescaledb.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    clickhouse: TestClickHouse
    postgres: TestPostgres
    /** Real Apache Kafka; `npm run services -- up kafka` starts one. */
    kafka: FoundEngine<TestKafka>
    /** Real TimescaleDB, as a superuser of it. */
    timescaledb: FoundEngine<TestPostgres>
  }
}

/** Starts one real ClickHouse and one real PostgreSQL for all integration tests; each test makes a database of its own on them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [clickhouse, postgres] = await Promise.all([startTestClickHouse(), startTestPostgres()])
  project.provide('clickhouse', clickhouse.address)
  project.provide('postgres', postgres.address)
  project.provide('kafka', findTestKafka())
  project.provide('timescaledb', findTestTimescaleDb())
  return async () => {
    await Promise.all([clickhouse.stop(), postgres.stop()])
  }
}
