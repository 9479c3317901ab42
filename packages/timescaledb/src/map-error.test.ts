import { ConnectionError, InfrastructureError, OperationError, TimeoutError, ValidationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { isTimescaleDBError, TimescaleOperationError } from './errors.ts'
import { mapError } from './map-error.ts'

const kinds = { ConnectionError, OperationError, TimeoutError, ValidationError }

/** An error as the server reports it, with everything in it that must not leak. */
const reported = (code: string): Error =>
  Object.assign(new RangeError('duplicate value "SECRET"'), { code, detail: 'Key (id)=(SECRET) already exists.', table: 'flights', column: 'delay', constraint: 'flights_pkey', where: 'COPY flights, line 3: "SECRET"' })

describe('mapError', () => {
  it.each([
    ['22003', 'ValidationError', 'ERR_TIMESCALEDB_DATA', false],
    ['22P02', 'ValidationError', 'ERR_TIMESCALEDB_DATA', false],
    ['23502', 'ValidationError', 'ERR_TIMESCALEDB_NOT_NULL', false],
    ['23503', 'ValidationError', 'ERR_TIMESCALEDB_FOREIGN_KEY', false],
    ['23505', 'ValidationError', 'ERR_TIMESCALEDB_UNIQUE', false],
    ['23514', 'ValidationError', 'ERR_TIMESCALEDB_CHECK', false],
    ['23P01', 'ValidationError', 'ERR_TIMESCALEDB_DATA', false],
    ['57014', 'TimeoutError', 'ERR_TIMESCALEDB_TIMEOUT', true],
    ['40001', 'OperationError', 'ERR_TIMESCALEDB_CONFLICT', true],
    ['40P01', 'OperationError', 'ERR_TIMESCALEDB_CONFLICT', true],
    ['53100', 'OperationError', 'ERR_TIMESCALEDB_RESOURCES', true],
    ['53300', 'ConnectionError', 'ERR_TIMESCALEDB_RESOURCES', true],
    ['08006', 'ConnectionError', 'ERR_TIMESCALEDB_CONNECTION_LOST', true],
    ['08P01', 'OperationError', 'ERR_TIMESCALEDB_SYNTAX', false],
    ['57P01', 'ConnectionError', 'ERR_TIMESCALEDB_CONNECTION_LOST', true],
    ['57P03', 'ConnectionError', 'ERR_TIMESCALEDB_CONNECTION', true],
    ['28P01', 'ConnectionError', 'ERR_TIMESCALEDB_AUTHENTICATION', false],
    ['3D000', 'ConnectionError', 'ERR_TIMESCALEDB_UNDEFINED', false],
    ['42601', 'OperationError', 'ERR_TIMESCALEDB_SYNTAX', false],
    ['42501', 'OperationError', 'ERR_TIMESCALEDB_PERMISSION', false],
    ['42P01', 'OperationError', 'ERR_TIMESCALEDB_UNDEFINED', false],
    ['42P07', 'OperationError', 'ERR_TIMESCALEDB_DUPLICATE', false],
    ['0A000', 'OperationError', 'ERR_TIMESCALEDB_UNSUPPORTED', false],
    ['2BP01', 'OperationError', 'ERR_TIMESCALEDB_DEPENDED_ON', false],
    ['TS001', 'OperationError', 'ERR_TIMESCALEDB_NOT_PARTITIONABLE', false],
    ['TS103', 'OperationError', 'ERR_TIMESCALEDB_NOT_PARTITIONABLE', false],
    ['25006', 'OperationError', 'ERR_TIMESCALEDB_READ_ONLY', false],
    ['55P03', 'OperationError', 'ERR_TIMESCALEDB_LOCKED', true],
    ['XX000', 'OperationError', 'ERR_TIMESCALEDB_QUERY', false],
    ['ECONNREFUSED', 'ConnectionError', 'ERR_TIMESCALEDB_CONNECTION', true],
    ['ECONNRESET', 'ConnectionError', 'ERR_TIMESCALEDB_CONNECTION_LOST', true],
    ['EPIPE', 'ConnectionError', 'ERR_TIMESCALEDB_CONNECTION_LOST', true],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'ConnectionError', 'ERR_TIMESCALEDB_CONNECTION', false],
  ] as const)('takes %s for a %s', (code, kind, expected, retryable) => {
    const mapped = mapError(reported(code))

    expect(kinds[kind].isInstance(mapped)).toBe(true)
    expect(isTimescaleDBError(mapped)).toBe(true)
    expect(mapped).toMatchObject({ code: expected, retryable })
  })

  it('names table, column and constraint, but never the row', () => {
    const mapped = mapError(reported('23505'))

    expect(mapped).toMatchObject({ context: { sqlState: '23505', table: 'flights', column: 'delay', constraint: 'flights_pkey' }, issues: [{ path: ['delay'] }], status: 409 })
    expect(JSON.stringify([mapped, mapped.message])).not.toContain('SECRET')
  })

  it('repeats the words of the server where only the statement is wrong', () => {
    expect(mapError(Object.assign(new RangeError('relation "fligths" does not exist'), { code: '42P01' })).message).toContain('relation "fligths" does not exist')
  })

  it('reads the report of either client library', () => {
    expect(mapError(Object.assign(new RangeError(), { code: '23502', table_name: 'flights', column_name: 'delay' }))).toMatchObject({ context: { table: 'flights', column: 'delay' } })
  })

  it('leaves our own errors alone', () => {
    const own = new TimescaleOperationError('as it is')

    expect(mapError(own)).toBe(own)
  })

  it('makes something readable of anything', () => {
    for (const thrown of [undefined, null, 'text', 7, new TypeError('odd')]) expect(InfrastructureError.isInstance(mapError(thrown))).toBe(true)
  })
})
