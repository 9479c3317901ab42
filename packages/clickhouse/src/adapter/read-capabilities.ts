import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { isGone } from '../doctor/is-gone.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { abilitiesOf, ABILITIES_QUERY } from './user-settings.ts'

/** What a server, and the user who asks, can do. Null where the user may not see it. */
export interface ClickHouseCapabilities {
  /** As `26.7.2.1`. */
  readonly version: string
  /** Zone of times whose columns name none. */
  readonly timeZone: string
  /** Whether requests may bring settings: not those of a `readonly = 1` user. */
  readonly mayBringSettings: boolean
  /** Clusters that statements can go to; empty where there is none. */
  readonly clusters: readonly string[] | null
  /** Whether it has Keeper, and with it replicated tables and `ON CLUSTER`. */
  readonly hasKeeper: boolean | null
  /** Whether users, roles and row policies can be made by SQL; else they are in the server's files. */
  readonly managesUsersBySql: boolean | null
  /** Whether it keeps a log of queries, which advice and diagnosis look at. */
  readonly hasQueryLog: boolean | null
}

/** Finds out what a server and its user can do: by asking, and not by the version. @throws ConnectionError when the server is away */
export async function readCapabilities(adapter: Pick<ClickHouseAdapter, 'execute'>, call: CallOptions = {}): Promise<ClickHouseCapabilities> {
  const ask = async <T extends Row>(query: string): Promise<readonly T[] | null> => {
    try {
      return (await adapter.execute<T>(query, {}, call)).rows
    } catch (error) {
      if (isGone(error) || !ClickHouseBaseError.isInstance(error)) throw error
      // A server without Keeper has no table of its connections either.
      return error.code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' ? [] : null
    }
  }
  const [server] = (await adapter.execute<Row & { version: string; zone: string }>('SELECT version() AS version, timezone() AS zone', {}, call)).rows
  const [abilities, clusters, keeper, directories, log] = await Promise.all([
    ask(ABILITIES_QUERY),
    ask<Row & { name: string }>('SELECT DISTINCT cluster AS name FROM system.clusters ORDER BY name'),
    ask('SELECT name FROM system.zookeeper_connection'),
    ask<Row & { type: string }>('SELECT type FROM system.user_directories'),
    ask<Row & { found: bigint }>("SELECT count() AS found FROM system.tables WHERE database = 'system' AND name = 'query_log'"),
  ])
  return {
    version: server?.version ?? '',
    timeZone: server?.zone ?? '',
    mayBringSettings: abilitiesOf(abilities?.[0]?.['readonly']).maySet,
    clusters: clusters?.map(({ name }) => name) ?? null,
    hasKeeper: keeper === null ? null : keeper.length > 0,
    managesUsersBySql: directories === null ? null : directories.some(({ type }) => type === 'local_directory' || type === 'replicated'),
    hasQueryLog: log === null ? null : log[0]?.found !== 0n,
  }
}
