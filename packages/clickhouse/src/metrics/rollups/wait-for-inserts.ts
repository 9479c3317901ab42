import { sleep } from '@smart-whale/core-resilience'
import type { CallOptions, Clock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../../adapter-options.ts'
import { OperationalError } from '../../operational-errors.ts'

const POLL_MS = 50

/**
 * Waits until every insert that runs now has ended; those that begin meanwhile are not waited for.
 * Of all tables: an insert into another one may reach this one through a view.
 *
 * @throws OperationalError `ERR_CLICKHOUSE_ROLLUP` when one runs longer than `waitMs`
 */
export async function waitForInserts(adapter: ClickHouseAdapter, waitMs: number, clock: Clock, call: CallOptions): Promise<void> {
  const giveUpAt = clock.monotonic() + waitMs
  let running = await runningInserts(adapter, undefined, call)
  while (running.length > 0) {
    if (clock.monotonic() >= giveUpAt) {
      throw new OperationalError(
        `the rollup waits for inserts that began before it, and ${running.length} still ran after ${waitMs} ms (${running.slice(0, 3).join(', ')}); run it again, it goes on from here`,
        { code: 'ERR_CLICKHOUSE_ROLLUP', retryable: true, status: 503 },
      )
    }
    await sleep(POLL_MS, { clock, signal: call.signal })
    running = await runningInserts(adapter, running, call)
  }
}

/** Ids of inserts that run, among those given. */
async function runningInserts(adapter: ClickHouseAdapter, among: readonly string[] | undefined, call: CallOptions): Promise<string[]> {
  const some = among === undefined ? '' : ' AND query_id IN {ids:Array(String)}'
  const { rows } = await adapter.execute<{ id: string }>(
    `SELECT query_id AS id FROM system.processes WHERE query_kind IN ('Insert', 'AsyncInsertFlush')${some}`,
    among === undefined ? {} : { ids: among },
    { ...call, retry: true },
  )
  return rows.map(({ id }) => id)
}
