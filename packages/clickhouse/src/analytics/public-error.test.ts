import { toProblem } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../errors.ts'
import { mapServerError } from '../map-error.ts'
import { publicQueryError } from './public-error.ts'

const query = { server: 'db-7.internal:8123', queryId: 'q1' }
const told = (text: string) => toProblem(publicQueryError(mapServerError(text, query), ['body']))

describe('the failure of a query that a stranger wrote', () => {
  it('says what is wrong with it, and where', () => {
    const problem = told(
      "Code: 62. DB::Exception: Syntax error: failed at position 8 ('form') (line 1, col 8): form t. Expected FROM. (SYNTAX_ERROR) (version 26.7.2.1)",
    )

    expect(problem).toMatchObject({ status: 400, code: 'ERR_CLICKHOUSE_QUERY_SYNTAX', issues: [{ path: ['body', 'query'] }] })
    expect(problem.detail).toContain('failed at position 8')
    expect(JSON.stringify(problem)).not.toMatch(/26\.7|db-7|q1/)
  })

  it('does not name the user that it ran as', () => {
    const problem = told(
      "Code: 497. DB::Exception: api_reader: Not enough privileges. To execute this query, it's necessary to have the grant SELECT(a) ON app.t. (ACCESS_DENIED)",
    )

    expect(problem).toMatchObject({ status: 403, code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
    expect(problem.detail).toMatch(/^Not enough privileges/)
  })

  it('keeps to itself what other refusals say', () => {
    const problem = told(
      'Code: 291. DB::Exception: Path `/etc/passwd` is not inside `/var/lib/clickhouse/user_files`. (DATABASE_ACCESS_DENIED)',
    )

    expect(problem).toMatchObject({ status: 403, detail: 'the query does something that is not allowed here' })
  })

  it('does not show the disk of the server', () => {
    const problem = told(
      'Code: 6. DB::Exception: Cannot parse text: (while reading from part /var/lib/clickhouse/store/123/all_1_1_0/). (CANNOT_PARSE_TEXT)',
    )

    expect(problem.status).toBe(400)
    expect(JSON.stringify(problem)).not.toContain('/var')
  })

  it('is the fault of the query when the server said no for a reason that nobody sorted', () => {
    const problem = told('Code: 49. DB::Exception: Pipeline stuck in store/abc. (LOGICAL_ERROR) (version 26.7.2.1)')

    expect(problem).toMatchObject({ status: 422, detail: 'the server could not carry the query out (LOGICAL_ERROR)' })
  })

  it('tells nothing of a server that is away', () => {
    const problem = toProblem(publicQueryError(new ConnectionError('ClickHouse at db-7.internal:8123 is away'), []))

    expect(problem.status).toBe(503)
    expect(JSON.stringify(problem)).not.toContain('db-7')
  })
})
