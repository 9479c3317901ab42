import { describe, expect, it } from 'vitest'
import { statisticsOf } from './statistics.ts'

describe('statisticsOf', () => {
  it('reads what the server sums up, wherever it stands in the header', () => {
    const summary = { total_rows_to_read: '7', memory_usage: '1', read_rows: '12', elapsed_ns: '2500000', read_bytes: '34' }

    expect(statisticsOf({ 'x-clickhouse-summary': JSON.stringify(summary) })).toEqual({ rowsRead: 12, bytesRead: 34, elapsedMs: 2.5 })
  })

  it.each([{}, { 'x-clickhouse-summary': '{}' }, { 'x-clickhouse-summary': '{"written_rows":"1"}' }])('takes what is missing for nothing', (headers) => {
    expect(statisticsOf(headers)).toEqual({ rowsRead: 0, bytesRead: 0, elapsedMs: 0 })
  })
})
