import { ConnectionError as SharedConnectionError, OperationError, TimeoutError, ValidationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { AuthenticationError, ClickHouseBaseError, ConnectionError, ConnectionTimeoutError, DataTypeError, QueryCancellationError, QueryError, QueryExecutionTimeoutError, QuerySyntaxError } from './errors.ts'
import { mapForeignAnswer, mapNetworkError, mapServerError } from './map-error.ts'
import { OperationalError, PermissionDeniedError } from './operational-errors.ts'
import { FAILURE_TRAITS, SERVER_CODES } from './server-codes.ts'

const query = { queryId: 'q-1', server: 'localhost:8123' }
const answer = (code: number, name: string, text = 'it failed'): string => `Code: ${code}. DB::Exception: ${text}. (${name}) (version 26.7.2.1)\n`

describe('mapServerError', () => {
  it.each([
    [62, 'SYNTAX_ERROR', QuerySyntaxError, 400, false],
    [60, 'UNKNOWN_TABLE', QueryError, 400, false],
    [57, 'TABLE_ALREADY_EXISTS', QueryError, 409, false],
    [158, 'TOO_MANY_ROWS', QueryError, 422, false],
    [396, 'TOO_MANY_ROWS_OR_BYTES', QueryError, 422, false],
    [159, 'TIMEOUT_EXCEEDED', QueryExecutionTimeoutError, 408, false],
    [394, 'QUERY_WAS_CANCELLED', QueryCancellationError, 499, false],
    [53, 'TYPE_MISMATCH', DataTypeError, 400, false],
    [6, 'CANNOT_PARSE_TEXT', DataTypeError, 400, false],
    [164, 'READONLY', PermissionDeniedError, 403, false],
    [497, 'ACCESS_DENIED', PermissionDeniedError, 403, false],
    [516, 'AUTHENTICATION_FAILED', AuthenticationError, 503, false],
    [194, 'REQUIRED_PASSWORD', AuthenticationError, 503, false],
    [202, 'TOO_MANY_SIMULTANEOUS_QUERIES', OperationalError, 503, true],
    [252, 'TOO_MANY_PARTS', OperationalError, 503, true],
    [242, 'TABLE_IS_READ_ONLY', OperationalError, 503, true],
    [999, 'KEEPER_EXCEPTION', OperationalError, 503, true],
    [49, 'LOGICAL_ERROR', QueryError, 500, false],
  ])('maps %i %s', (code, name, Class, status, retryable) => {
    const error = mapServerError(answer(code, name), query)

    expect(Class.isInstance(error)).toBe(true)
    expect(ClickHouseBaseError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ serverCode: code, serverCodeName: name, queryId: 'q-1', server: 'localhost:8123', status, retryable, message: expect.stringContaining('it failed') as string })
  })

  it("answers to the shared classes' guards as well", () => {
    expect(TimeoutError.isInstance(mapServerError(answer(159, 'TIMEOUT_EXCEEDED'), query))).toBe(true)
    expect(ValidationError.isInstance(mapServerError(answer(469, 'VIOLATED_CONSTRAINT'), query))).toBe(true)
    expect(OperationError.isInstance(mapServerError(answer(60, 'UNKNOWN_TABLE'), query))).toBe(true)
    expect(SharedConnectionError.isInstance(mapServerError(answer(516, 'AUTHENTICATION_FAILED'), query))).toBe(true)
  })

  it('tells where a syntax error is', () => {
    const error = mapServerError("Code: 62. DB::Exception: Syntax error: failed at position 12 (FORM) (line 2, col 3): FORM x. Expected one of: …. (SYNTAX_ERROR) (version 26.7.2.1)", query)
    expect(QuerySyntaxError.isInstance(error) && error.position).toEqual({ offset: 12, line: 2, column: 3 })
  })

  it("tells a query's own memory limit from the server's", () => {
    const own = mapServerError(answer(241, 'MEMORY_LIMIT_EXCEEDED', 'Query memory limit exceeded: would use 600 MiB, maximum: 500 MiB'), query)
    const total = mapServerError(answer(241, 'MEMORY_LIMIT_EXCEEDED', '(total) memory limit exceeded: would use 2 GiB'), query)
    expect([own.code, own.retryable]).toEqual(['ERR_CLICKHOUSE_MEMORY_LIMIT', false])
    expect([total.code, total.retryable]).toEqual(['ERR_CLICKHOUSE_SERVER_BUSY', true])
  })

  it("leaves out the server's version and the values of a row", () => {
    const { message } = mapServerError('Code: 469. DB::Exception: Constraint `positive` for table t is violated at row 3. Expression: (a > 0). Column values: a = -77. (VIOLATED_CONSTRAINT) (version 26.7.2.1)', query)
    expect(message).toBe('Constraint `positive` for table t is violated at row 3. Expression: (a > 0)')
  })

  it('leaves out the rest of a row that could not be parsed, and keeps its place', () => {
    const { message } = mapServerError('Code: 117. DB::Exception: Cannot parse JSON object here: {"card":"4111"}: (at row 2)\n: While executing ParallelParsingBlockInputFormat. (INCORRECT_DATA)', query)
    expect(message).toBe('Cannot parse JSON object: (at row 2)\n: While executing ParallelParsingBlockInputFormat.')
  })

  it('names the row of an insert that the server refuses', () => {
    const error = mapServerError('Code: 469. DB::Exception: Constraint `c` for table t is violated at row 3. Expression: (a > 0). (VIOLATED_CONSTRAINT)', query)
    expect(DataTypeError.isInstance(error) && error.issues[0]?.path).toEqual([2])
  })

  it('says what to do about values that are too long for the address', () => {
    const error = mapServerError('Poco::Exception. Code: 1000, e.code() = 0, HTML Form Exception: Field value too long', query)
    expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', retryable: false, status: 422 })
    expect(mapForeignAnswer(414, query)).toMatchObject({ code: 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', retryable: false })
  })

  it('makes something of an answer without a code', () => {
    expect(mapServerError('', query).message).not.toBe('')
    expect(mapServerError('Poco::Exception: No space', query)).toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY', serverCode: undefined })
  })

  it('knows each code under one kind only, with traits that an error class carries', () => {
    for (const code of SERVER_CODES.values()) {
      const error = mapServerError(answer(code.number, code.name), query)
      expect(error.code, code.name).toBe(FAILURE_TRAITS[code.kind].code)
      expect(error.retryable, code.name).toBe(FAILURE_TRAITS[code.kind].retryable)
    }
  })
})

describe('mapNetworkError', () => {
  it.each([
    ['ECONNREFUSED', ConnectionError, true],
    ['ECONNRESET', ConnectionError, true],
    ['UND_ERR_SOCKET', ConnectionError, true],
    ['ENOTFOUND', ConnectionError, true],
    ['UND_ERR_CONNECT_TIMEOUT', ConnectionTimeoutError, true],
    ['ERR_TLS_CERT_ALTNAME_INVALID', ConnectionError, false],
  ])('maps %s', (code, Class, retryable) => {
    const cause = Object.assign(new TypeError('no'), { code })
    const error = mapNetworkError(cause, query)

    expect(Class.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ retryable, cause })
    expect(error.message).toContain('localhost:8123')
  })
})

describe('mapForeignAnswer', () => {
  it('retries what a proxy says about an absent server, and not what another service says', () => {
    expect(mapForeignAnswer(502, query).retryable).toBe(true)
    expect(mapForeignAnswer(404, query).retryable).toBe(false)
  })
})
