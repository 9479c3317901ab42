import { describe, expect, inject, it } from 'vitest'
import { QuerySyntaxError } from '../src/errors.ts'
import { mapServerError } from '../src/map-error.ts'
import { SERVER_CODES } from '../src/server-codes.ts'

const { url, owner, reader } = inject('clickhouse')

async function ask(query: string, account: { username: string; password: string } = owner, search: Record<string, string> = {}): Promise<{ ok: boolean; text: string }> {
  const authorization = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`
  const response = await fetch(`${url}/?${new URLSearchParams({ wait_end_of_query: '1', ...search })}`, { method: 'POST', body: query, headers: { authorization } })
  return { ok: response.ok, text: await response.text() }
}

async function failure(query: string, account = owner, search: Record<string, string> = {}) {
  const { ok, text } = await ask(query, account, search)
  if (ok) expect.fail(`no error from ${query}`)
  return mapServerError(text, { server: 'test' })
}

describe('errors of a real server', () => {
  it('calls every code as the table does', async () => {
    const { text } = await ask('SELECT code, name FROM system.errors FORMAT JSONCompactEachRow', owner, { system_events_show_zero_values: '1' })
    const names = new Map(text.trim().split('\n').map((line) => JSON.parse(line) as [number, string]))

    expect([...SERVER_CODES.values()].filter((code) => names.get(code.number) !== code.name)).toEqual([])
  })

  it.each<[string, Record<string, string>, string, number]>([
    ['SELECT * FROM missing_table', {}, 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', 60],
    ['SELECT missing_column', {}, 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', 47],
    ['SELECT missing_function(1)', {}, 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', 46],
    ['CREATE DATABASE default', {}, 'ERR_CLICKHOUSE_OBJECT_EXISTS', 82],
    ["SELECT toInt32('abc')", {}, 'ERR_CLICKHOUSE_DATA_TYPE', 6],
    ["SELECT toDate('yesterday')", {}, 'ERR_CLICKHOUSE_DATA_TYPE', 38],
    ["SELECT 1 + 'a'", {}, 'ERR_CLICKHOUSE_QUERY', 43],
    ['SELECT sleepEachRow(0.1) FROM numbers(100)', { max_execution_time: '0.2', max_block_size: '1' }, 'ERR_CLICKHOUSE_QUERY_TIMEOUT', 159],
    ['SELECT groupArray(number) FROM numbers(10000000)', { max_memory_usage: '5000000' }, 'ERR_CLICKHOUSE_MEMORY_LIMIT', 241],
    ['SELECT * FROM numbers(1000)', { max_rows_to_read: '10' }, 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', 158],
    ['SELECT * FROM numbers(1000)', { max_result_rows: '10', max_block_size: '5' }, 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', 396],
    ['SELECT 1', { no_such_setting: '1' }, 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', 115],
    ['SELECT {a:UInt8}', {}, 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', 456],
    ['SELECT {a:UInt8}', { param_a: 'x' }, 'ERR_CLICKHOUSE_DATA_TYPE', 457],
  ])('%s', async (query, search, code, serverCode) => {
    const error = await failure(query, owner, search)
    expect({ code: error.code, serverCode: error.serverCode }, error.message).toEqual({ code, serverCode })
  })

  it('points to the syntax error', async () => {
    const error = await failure('SELECT 1\nFORM x y')
    expect(QuerySyntaxError.isInstance(error) && error.position).toMatchObject({ line: 2 })
  })

  it('refuses what a read-only user may not do', async () => {
    expect(await failure('SELECT 1 SETTINGS max_threads = 1', reader)).toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED', serverCode: 164 })
    expect(await failure('CREATE DATABASE mine', reader)).toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED', serverCode: 497 })
  })

  it('tells a wrong password', async () => {
    const error = await failure('SELECT 1', { username: 'owner', password: 'wrong' })
    expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_AUTHENTICATION', serverCode: 516, retryable: false })
    expect(error.message).not.toContain('wrong')
  })
})
