import type { QueryStatistics } from '../adapter-options.ts'
import type { AnswerHeaders } from './http-transport.ts'

/** What a query cost, out of the summary that the server sends in a header. */
export function statisticsOf(headers: AnswerHeaders): QueryStatistics {
  const header = headers['x-clickhouse-summary']
  if (typeof header !== 'string') return { rowsRead: 0, bytesRead: 0, elapsedMs: 0 }
  const summary = JSON.parse(header) as { read_rows?: string; read_bytes?: string; elapsed_ns?: string }
  return { rowsRead: Number(summary.read_rows ?? 0), bytesRead: Number(summary.read_bytes ?? 0), elapsedMs: Number(summary.elapsed_ns ?? 0) / 1e6 }
}
