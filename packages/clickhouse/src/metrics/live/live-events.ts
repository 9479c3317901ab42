import type { InfrastructureError } from '@smart-whale/interfaces'
import { canonical } from '../../stable-digest.ts'
import type { MetricAnswer, MetricRow, MetricTotals } from '../answer/metric-answer.ts'

/** What a live answer tells beside its rows; each event tells it anew. */
export type LiveFrame = Pick<MetricAnswer, 'truncated' | 'period' | 'comparedWith'> & {
  /** Present when they were asked for. */
  readonly totals?: MetricTotals
  /** Set when the reader's quota is spent and the first answer is one from before; gone as soon as there is a new one. */
  readonly degraded?: MetricAnswer['degraded']
}

/** The whole answer: in place of whatever there was before. */
export interface LiveSnapshot extends LiveFrame {
  readonly type: 'snapshot'
  /** Names this state of the answer: who comes back with it is told what has changed since. */
  readonly version: string
  /** The members of a row that tell it from all others: `time`, the dimensions, `other`. */
  readonly key: readonly string[]
  readonly rows: readonly MetricRow[]
  readonly route: MetricAnswer['route']
}

/** What has changed since the event before. Rows replace, nothing is to be added to anything. */
export interface LiveChange extends LiveFrame {
  readonly type: 'change'
  readonly version: string
  /** Rows that are new or have other values now. */
  readonly upserts: readonly MetricRow[]
  /** Keys of rows that are no more. */
  readonly removals: readonly LiveRowKey[]
}

/** The question could not be answered anew. What was told before stays as it is; the next answer comes by itself. */
export interface LiveFailure {
  readonly type: 'failure'
  readonly error: InfrastructureError
  /** When it is asked again, in milliseconds. */
  readonly retryInMs: number
}

/** What a live question tells its subscribers. */
export type LiveMetricEvent = LiveSnapshot | LiveChange | LiveFailure

/** The members of a row that are its key. */
export type LiveRowKey = Readonly<Record<string, unknown>>

/** An answer as its subscriber has it. */
export interface LiveState {
  readonly key: readonly string[]
  /** By what {@link rowKey} makes of them, in no certain order once something has changed. */
  readonly rows: ReadonlyMap<string, MetricRow>
  readonly version: string
  readonly frame: LiveFrame
}

/** What a subscriber has after an event; undefined before the first snapshot. */
export function applyLiveEvent(state: LiveState | undefined, event: LiveMetricEvent): LiveState | undefined {
  if (event.type === 'failure') return state
  const { version } = event
  if (event.type === 'snapshot') return { key: event.key, rows: new Map(event.rows.map((row) => [rowKey(event.key, row), row])), version, frame: frameOf(event) }
  if (state === undefined) return undefined
  const rows = new Map(state.rows)
  for (const gone of event.removals) rows.delete(rowKey(state.key, gone))
  for (const row of event.upserts) rows.set(rowKey(state.key, row), row)
  return { key: state.key, rows, version, frame: frameOf(event) }
}

/** Equal for rows of the same bucket and group. */
export function rowKey(key: readonly string[], row: LiveRowKey): string {
  return canonical(key.map((name) => row[name] ?? null))
}

/** What an answer tells beside its rows. */
export function frameOf({ totals, truncated, period, comparedWith, degraded }: LiveFrame): LiveFrame {
  const more = Object.fromEntries(Object.entries({ totals, comparedWith, degraded }).filter(([, value]) => value !== undefined))
  return { ...more, truncated, period }
}
