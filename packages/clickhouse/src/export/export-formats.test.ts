import { describe, expect, it } from 'vitest'
import { exportFormatFor, refuseOwnFormat } from './export-formats.ts'

describe('exportFormatFor', () => {
  it.each([
    ['text/csv', 'csv'],
    ['application/json, text/csv;q=0.5', null],
    ['application/json;q=0.5, application/x-ndjson', 'jsonl'],
    ['application/vnd.apache.parquet;q=0', null],
    ['APPLICATION/VND.APACHE.PARQUET', 'parquet'],
    ['application/vnd.apache.arrow.stream', 'arrow'],
    ['*/*', null],
    ['', null],
    [undefined, null],
    [';;;,q=', null],
  ])('takes %s for %s', (accept, format) => {
    expect(exportFormatFor(accept)).toBe(format)
  })
})

describe('refuseOwnFormat', () => {
  it.each(['SELECT 1 FORMAT JSON', 'SELECT 1 format Null;', 'SELECT 1 FORMAT CSV SETTINGS max_threads = 1'])('refuses %s', (query) => {
    expect(() => refuseOwnFormat(query)).toThrow('leave FORMAT out')
  })

  it.each(["SELECT 'x FORMAT JSON'", 'SELECT format FROM t', 'SELECT a AS format FROM t ORDER BY format DESC', "SELECT format('{}', x)", 'SELECT 1 -- FORMAT JSON'])('lets %s be', (query) => {
    expect(() => refuseOwnFormat(query)).not.toThrow()
  })
})
