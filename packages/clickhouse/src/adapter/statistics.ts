import type { QueryStatistics } from '../adapter-options.ts'
import type { AnswerHeaders } from './http-transport.ts'

/** What a query cost, out of the summary that the server sends in a header. */
export function statisticsOf(headers: AnswerHeaders): QueryStatistics {
  const header = headers['x-clickhouse-summary']
  if (typeof header !== 'string') return { rowsRead: 0, bytesRead: 0, elapsedMs: 0 }
  return { rowsRead: numberBehind(header, READ_ROWS), bytesRead: numberBehind(header, READ_BYTES), elapsedMs: numberBehind(header, ELAPSED) / 1e6 }
}

const READ_ROWS = '"read_rows":"'
const READ_BYTES = '"read_bytes":"'
const ELAPSED = '"elapsed_ns":"'

/** The summary is flat JSON of a dozen numbers in quotes; to take three of them out costs a fifth of reading it whole. */
function numberBehind(summary: string, key: string): number {
  const at = summary.indexOf(key)
  if (at === -1) return 0
  const start = at + key.length
  return Number(summary.slice(start, summary.indexOf('"', start)))
}
