import type { ClickHouseAdapter } from '@smart-whale/clickhouse'
import type { Clock, StorageInterface } from '@smart-whale/interfaces'
import { quoteTable } from '@smart-whale/timescaledb'

/** How many rows each store has of a table; null where the store has no such table or didn't answer. 64-bit counts are strings. */
export interface TableCount {
  readonly name: string
  readonly clickhouse: string | null
  readonly timescaledb: string | null
}

/** What {@link createRowCounter} counts with. */
export interface RowCounterOptions {
  /** Tables to count, by the name that they have in both stores. @default none, required */
  tables: readonly string[]
  /** Counts in ClickHouse; a read-only user will do. @default none, required */
  clickhouse: ClickHouseAdapter
  /** Counts in PostgreSQL; a read-only user will do. @default none, required */
  timescaledb: StorageInterface
  /** Decides how long a count is used again. @default none, required */
  clock: Clock
}

/**
 * Counts the rows of tables in both stores, exactly. A count of millions takes PostgreSQL a while, so an answer is used
 * again for at least a second and for ten times as long as it took: counting never takes more than a tenth of a core.
 */
export function createRowCounter({ tables, clickhouse, timescaledb, clock }: RowCounterOptions): () => Promise<readonly TableCount[]> {
  let latest: Promise<readonly TableCount[]> | null = null
  let staleAt = 0
  const count = async (): Promise<readonly TableCount[]> => {
    const begin = clock.monotonic()
    const counts = await Promise.all(
      tables.map(async (name) => ({
        name,
        clickhouse: await orNull(async () => (await clickhouse.execute(`SELECT count() AS n FROM ${quoteForClickHouse(name)}`, {}, { timeoutMs: 5000 })).rows[0]?.n),
        timescaledb: await orNull(async () => (await timescaledb.execute(`select count(*) as n from ${quoteTable(name)}`, [], { timeoutMs: 5000 }))[0]?.n),
      })),
    )
    staleAt = clock.monotonic() + Math.max(900, 10 * (clock.monotonic() - begin))
    return counts
  }
  return () => {
    if (latest === null || clock.monotonic() >= staleAt) {
      staleAt = Number.POSITIVE_INFINITY
      latest = count()
    }
    return latest
  }
}

async function orNull(count: () => Promise<unknown>): Promise<string | null> {
  try {
    return String(await count())
  } catch {
    return null
  }
}

function quoteForClickHouse(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``
}
