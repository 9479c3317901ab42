import type { MetricsSink } from '@smart-whale/interfaces'

/** What a pool reports of itself. */
export interface PoolMeter {
  waited(milliseconds: number): void
  refused(reason: 'full' | 'timeout'): void
  failedToConnect(): void
  counted(counts: { idle: number; busy: number; opening: number; waiting: number }): void
}

/** Reports one pool to a sink; `role` tells the primary's from the replicas'. */
export function createPoolMeter(metrics: MetricsSink, role: 'primary' | 'replica'): PoolMeter {
  const labels = { role }
  const wait = metrics.histogram({
    name: 'smart_whale_timescaledb_pool_wait_seconds',
    help: 'How long calls waited for a connection.',
    labelNames: ['role'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
  })
  const refusals = metrics.counter({
    name: 'smart_whale_timescaledb_pool_refusals_total',
    help: 'Calls that got no connection: too many were waiting, or they waited too long.',
    labelNames: ['role', 'reason'],
  })
  const failures = metrics.counter({ name: 'smart_whale_timescaledb_connect_failures_total', help: 'Connections that could not be opened.', labelNames: ['role'] })
  const connections = metrics.gauge({ name: 'smart_whale_timescaledb_pool_connections', help: 'Connections by what they are doing.', labelNames: ['role', 'state'] })
  const waiting = metrics.gauge({ name: 'smart_whale_timescaledb_pool_waiting', help: 'Calls that wait for a connection.', labelNames: ['role'] })
  return {
    waited: (milliseconds) => wait.observe(labels, milliseconds / 1000),
    refused: (reason) => refusals.inc({ ...labels, reason }),
    failedToConnect: () => failures.inc(labels),
    counted: (counts) => {
      for (const state of ['idle', 'busy', 'opening'] as const) connections.set({ ...labels, state }, counts[state])
      waiting.set(labels, counts.waiting)
    },
  }
}
