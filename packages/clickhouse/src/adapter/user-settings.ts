/** Settings as they go into a request. */
export type Settings = Readonly<Record<string, string | number | boolean>>

/** Whether a user's requests may bring settings. A `readonly=1` user's may not: everything comes from its profile. */
export interface UserAbilities {
  readonly maySet: boolean
}

/** The query that finds out; every user may ask it. */
export const ABILITIES_QUERY = "SELECT toString(getSetting('readonly')) AS readonly"

/** Reads what {@link ABILITIES_QUERY} answers. */
export function abilitiesOf(readonly: unknown): UserAbilities {
  return { maySet: String(readonly) !== '1' }
}

/**
 * Answers when the query has ended: a failure has a status of its own, and the header tells the whole cost. With a size for the buffer,
 * because without one the server puts every answer into a file first, which costs a short query a tenth of a millisecond.
 * Parameters of the request and no settings: a read-only user may give them too.
 */
export const WHOLE_ANSWER = { wait_end_of_query: '1', buffer_size: '1048576' } as const

/** What a read needs so that the server ends it when nobody waits for it any more. */
export function readSettings(abilities: UserAbilities, timeoutMs: number, own: Settings = {}): Record<string, string> {
  if (!abilities.maySet) return texts(own)
  return texts({ max_execution_time: timeoutMs / 1000, cancel_http_readonly_queries_on_client_close: 1, ...own })
}

/**
 * What an insert needs so that its rows are stored as one block, or not at all, before it is answered:
 * nothing asynchronous, nothing parsed in parallel pieces, no block smaller than the batch.
 */
export function insertSettings(timeoutMs: number, token: string | undefined, own: Settings = {}): Record<string, string> {
  return texts({
    max_execution_time: timeoutMs / 1000,
    async_insert: 0,
    ...WHOLE_ANSWER,
    max_insert_block_size: 1_000_000_000,
    min_insert_block_size_rows: 1_000_000_000,
    min_insert_block_size_bytes: 0,
    max_insert_threads: 1,
    // A batch may span more than the hundred partitions that the server lets a block have.
    max_partitions_per_insert_block: 0,
    input_format_parallel_parsing: 0,
    ...(token === undefined ? {} : { insert_deduplication_token: token, insert_deduplicate: 1, deduplicate_blocks_in_dependent_materialized_views: 1 }),
    ...own,
  })
}

function texts(settings: Settings): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(settings)) found[name] = typeof value === 'boolean' ? String(Number(value)) : String(value)
  return found
}
