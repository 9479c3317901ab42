import type { TestProject } from 'vitest/node'
import { startTestClickHouse, type TestClickHouse } from './clickhouse.ts'
import { startTestPostgres, type TestPostgres } from './postgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    clickhouse: TestClickHouse
    postgres: TestPostgres
  }
}

/** Starts one real ClickHouse and one real PostgreSQL for all integration tests; each test makes a database of its own on them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [clickhouse, postgres] = await Promise.all([startTestClickHouse(), startTestPostgres()])
  project.provide('clickhouse', clickhouse.address)
  project.provide('postgres', postgres.address)
  return async () => {
    await Promise.all([clickhouse.stop(), postgres.stop()])
  }
}
