import type { SettingBounds } from '../embedded/start-options.ts'
import type { CheckedLevel } from './check-levels.ts'

/** How the system's scheduler ranks the threads of a query. */
export const NICENESS = 'os_threads_nice_value_query'

/**
 * The settings of a level's profile. A read-only user's requests may bring none, so all that a query needs to be exact, bounded and
 * cancellable stands here.
 */
export function levelSettings({ limits, byTenant }: CheckedLevel): Readonly<Record<string, number>> {
  return {
    readonly: 1,
    max_execution_time: limits.maxExecutionSeconds,
    max_memory_usage: limits.maxMemoryBytes,
    max_rows_to_read: limits.maxRowsToRead,
    max_bytes_to_read: limits.maxBytesToRead,
    max_result_rows: limits.maxResultRows,
    max_result_bytes: limits.maxResultBytes,
    max_threads: limits.maxThreads,
    max_concurrent_queries_for_user: limits.maxConcurrentQueries,
    ...(limits.niceness === 0 ? {} : { [NICENESS]: limits.niceness }),
    allow_ddl: 0,
    allow_introspection_functions: 0,
    cancel_http_readonly_queries_on_client_close: 1,
    output_format_json_quote_64bit_integers: 1,
    output_format_json_quote_decimals: 1,
    output_format_json_quote_denormals: 1,
    // Row policies by tenant read the tenant from a header of the request.
    ...(byTenant ? { allow_get_client_http_header: 1 } : {}),
    // What the server remembers of one tenant's conditions must not decide, or show by its speed, what another one's find.
    use_query_condition_cache: 0,
    use_query_cache: 0,
    log_queries: 1,
  }
}

/** What a request at the level may bring: that it yields to others, and never that others yield to it. */
export function changeableSettings({ limits }: CheckedLevel): Readonly<Record<string, SettingBounds>> {
  return yields(limits) ? { [NICENESS]: { min: limits.niceness, max: limits.nicenessOverShare } } : {}
}

/** Whether queries of tenants over their share are to be ranked behind others. */
export function yields({ niceness, nicenessOverShare }: CheckedLevel['limits']): boolean {
  return nicenessOverShare > niceness
}
