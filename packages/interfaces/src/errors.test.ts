import { beforeAll, describe, expect, it, vi } from 'vitest'
import * as here from './errors.ts'

const { abortedError, ConfigurationError, ConnectionError, InfrastructureError, markError, OperationError, TimeoutError, ValidationError } = here

describe('the error classes', () => {
  it.each([
    ['InfrastructureError', new InfrastructureError('x'), 'ERR_INFRASTRUCTURE', false, 500],
    ['ConnectionError', new ConnectionError('x'), 'ERR_CONNECTION', true, 503],
    ['OperationError', new OperationError('x'), 'ERR_OPERATION', false, 500],
    ['ConfigurationError', new ConfigurationError('x'), 'ERR_CONFIGURATION', false, 500],
    ['TimeoutError', new TimeoutError('x'), 'ERR_TIMEOUT', true, 504],
    ['ValidationError', new ValidationError('x'), 'ERR_VALIDATION', false, 400],
  ])('%s has its defaults', (name, error, code, retryable, status) => {
    expect(error).toMatchObject({ name, code, retryable, status, context: {}, message: 'x' })
    expect(error).toBeInstanceOf(Error)
  })

  it('let the maker decide code, retryable, status, context and cause', () => {
    const cause = new RangeError('driver')
    const error = new ConnectionError('x', { code: 'ERR_STORE_AUTH', retryable: false, status: 401, context: { user: 'a' }, cause })

    expect(error).toMatchObject({ code: 'ERR_STORE_AUTH', retryable: false, status: 401, context: { user: 'a' }, cause })
  })

  it('have no cause unless one is given', () => {
    expect('cause' in new OperationError('x')).toBe(false)
  })

  it('print neither cause nor stack', () => {
    const error = new OperationError('x', { cause: new Error('password=hunter2'), context: { table: 't' } })

    expect(JSON.stringify(error)).toBe('{"name":"OperationError","code":"ERR_OPERATION","message":"x","retryable":false,"context":{"table":"t"}}')
  })

  it('show the issues of a ValidationError', () => {
    const issues = [{ path: ['rows', 3, 'id'], message: 'must be a bigint' }]

    expect(JSON.parse(JSON.stringify(new ValidationError('x', { issues })))).toMatchObject({ issues })
    expect(new ValidationError('x').issues).toEqual([])
  })

  it('abortedError keeps the reason as cause', () => {
    const signal = AbortSignal.abort('closing')

    expect(abortedError('the query', signal)).toMatchObject({ code: 'ERR_ABORTED', cause: 'closing', status: 499, retryable: false, message: 'the query was aborted by its caller' })
  })
})

describe('isInstance', () => {
  it('tells the classes apart', () => {
    const error = new TimeoutError('x')

    expect(TimeoutError.isInstance(error)).toBe(true)
    expect(InfrastructureError.isInstance(error)).toBe(true)
    expect(ConnectionError.isInstance(error)).toBe(false)
    expect(ValidationError.isInstance(error)).toBe(false)
  })

  it.each([undefined, null, 'ERR_TIMEOUT', 7, {}, new Error('x')])('is false for %s', (value) => {
    expect(InfrastructureError.isInstance(value)).toBe(false)
  })

  it('lets an error answer to a further class by mark', () => {
    const error = new OperationError('x')
    markError(error, 'ConnectionError')

    expect(ConnectionError.isInstance(error)).toBe(true)
    expect(OperationError.isInstance(error)).toBe(true)
    expect(Object.keys(error)).not.toContain('ConnectionError')
  })
})

describe('two copies of this package', () => {
  let copy: typeof here

  beforeAll(async () => {
    vi.resetModules()
    copy = await import('./errors.ts')
  })

  it('are two copies: instanceof fails between them', () => {
    expect(copy.TimeoutError).not.toBe(TimeoutError)
    expect(new copy.TimeoutError('x')).not.toBeInstanceOf(TimeoutError)
  })

  it.each(['InfrastructureError', 'ConnectionError', 'OperationError', 'ConfigurationError', 'TimeoutError', 'ValidationError'] as const)(
    'recognise each other’s %s',
    (name) => {
      expect(here[name].isInstance(new copy[name]('x'))).toBe(true)
      expect(copy[name].isInstance(new here[name]('x'))).toBe(true)
    },
  )

  it('tell each other’s classes apart', () => {
    expect(ConnectionError.isInstance(new copy.TimeoutError('x'))).toBe(false)
    expect(copy.ValidationError.isInstance(new OperationError('x'))).toBe(false)
  })

  it('recognise a subclass of the other copy', () => {
    class StoreError extends copy.ConnectionError<'ERR_STORE'> {}

    expect(ConnectionError.isInstance(new StoreError('x'))).toBe(true)
  })
})
