import { randomUUID } from 'node:crypto'
import { createAdapter } from '@smart-whale/clickhouse'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import type { BenchEngines } from './hot-path.ts'

/** A database of one hot path alone. */
export interface FreshDatabase {
  readonly name: string
  /** Deletes it with everything in it. */
  drop(): Promise<void>
}

const freshName = (): string => `bench_${randomUUID().replaceAll('-', '')}`

/** Makes an empty database in ClickHouse. */
export async function freshClickHouseDatabase({ url, username, password }: BenchEngines['clickhouse']): Promise<FreshDatabase> {
  const name = freshName()
  const run = async (statement: string): Promise<void> => {
    const adapter = createAdapter({ url, user: username, password })
    await adapter.execute(statement).finally(() => adapter.close())
  }
  await run(`CREATE DATABASE ${name}`)
  return { name, drop: () => run(`DROP DATABASE ${name} SYNC`) }
}

/** Makes an empty database in PostgreSQL. */
export async function freshPostgresDatabase({ url }: BenchEngines['postgres']): Promise<FreshDatabase & { readonly url: string }> {
  const name = freshName()
  const run = async (statement: string): Promise<void> => {
    const storage = createTimescaleAdapter({ url })
    await storage.execute(statement).finally(() => storage.disconnect())
  }
  await run(`create database ${name}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return { name, url: own.href, drop: () => run(`drop database ${name} with (force)`) }
}
