import { toWire } from '@smart-whale/interfaces'
import type { LiveMetricEvent } from '../metrics/live/live-events.ts'
import { analyticsProblem } from './analytics-problem.ts'

/** An event as JSON, without its type: 64-bit integers and decimals are strings, a failure is a problem that tells nothing of the inside. */
export function wireLiveEvent(event: LiveMetricEvent): Record<string, unknown> {
  if (event.type === 'failure') return { ...analyticsProblem(event.error, 'querystring'), retryInMs: Math.ceil(event.retryInMs) }
  const { type: _type, totals, ...rest } = event
  const told = { ...rest, ...(totals === undefined ? {} : { totals: toWire(totals) }) }
  return event.type === 'snapshot' ? { ...told, rows: event.rows.map(toWire) } : { ...told, upserts: event.upserts.map(toWire), removals: event.removals.map(toWire) }
}
