import { ConfigurationError } from '@smart-whale/interfaces'
import { quoteName } from '../adapter/table-columns.ts'
import type { ClickHouseErrorCode } from '../errors.ts'

/** How the servers of an installation share its tables; one and the same migration is turned into what that takes. */
export type Topology =
  /** One server: statements go as they are written. */
  | { readonly kind: 'single' }
  /** Servers that hold the same rows: tables of the MergeTree family become replicated ones, statements go to the whole cluster. */
  | ({ readonly kind: 'replicated' } & ClusterOptions)
  /** Shards of replicas: a table is kept as `<name>_local` on each, and `<name>` stands for all of them. */
  | ({ readonly kind: 'distributed' } & ClusterOptions & ShardOptions)

/** The cluster that statements go to. */
export interface ClusterOptions {
  /** Name of the cluster as in `system.clusters`, or a macro like `{cluster}`. @default none, required */
  readonly cluster: string
  /** Where replicas of a table find each other in Keeper. @default '/clickhouse/tables/{shard}/{database}/{table}' */
  readonly keeperPath?: string | undefined
  /** What a replica calls itself there. @default '{replica}' */
  readonly replicaName?: string | undefined
}

/** How rows are spread over shards. */
export interface ShardOptions {
  /** Expression that decides which shard a row goes to, by table, `*` for the others. @default 'rand()' for each */
  readonly shardingKeys?: Readonly<Record<string, string>> | undefined
  /** What the part of a table on one shard is called behind the table's name. @default '_local' */
  readonly localSuffix?: string | undefined
}

/** The options of a cluster with their defaults. */
export interface ClusterPlan {
  readonly cluster: string
  /** Arguments that a replicated engine begins with. */
  readonly replicaArguments: string
  /** None when the tables are not sharded. */
  readonly shards: { readonly localName: (table: string) => string; readonly shardingKey: (table: string) => string } | null
}

/**
 * What a topology means for statements; null for one server.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` for a cluster without a name
 */
export function planOf(topology: Topology): ClusterPlan | null {
  if (topology.kind === 'single') return null
  const { cluster, keeperPath = '/clickhouse/tables/{shard}/{database}/{table}', replicaName = '{replica}' } = topology
  if (typeof cluster !== 'string' || cluster.trim() === '')
    throw new ConfigurationError<ClickHouseErrorCode>(`a ${topology.kind} topology needs the name of its cluster; SELECT DISTINCT cluster FROM system.clusters tells which there are`, {
      code: 'ERR_CLICKHOUSE_CONFIGURATION',
    })
  const replicaArguments = `${quoteText(keeperPath)}, ${quoteText(replicaName)}`
  if (topology.kind === 'replicated') return { cluster: quoteText(cluster), replicaArguments, shards: null }
  const { shardingKeys = {}, localSuffix = '_local' } = topology
  return {
    cluster: quoteText(cluster),
    replicaArguments,
    shards: { localName: (table) => `${table}${localSuffix}`, shardingKey: (table) => shardingKeys[table] ?? shardingKeys['*'] ?? 'rand()' },
  }
}

/** A text literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** A table's name as a statement has it, which may have a database before it. */
export interface WrittenName {
  readonly database: string | null
  readonly table: string
}

/** The name, quoted where it has to be. */
export function writeName({ database, table }: WrittenName): string {
  return database === null ? writePart(table) : `${writePart(database)}.${writePart(table)}`
}

const writePart = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : quoteName(name))
