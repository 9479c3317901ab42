import { describe, expect, it } from 'vitest'
import { ConfigurationError, ConnectionError, OperationError, TimeoutError, ValidationError } from '@smart-whale/interfaces'
import { exitCodeOf } from './exit-code-of.ts'

describe('exitCodeOf', () => {
  it.each<[string, unknown, number]>([
    ['a configuration that is wrong', new ConfigurationError('no'), 2],
    ['input that is wrong', new ValidationError('no', { issues: [] }), 2],
    ['a login that is refused', new ConnectionError('no', { code: 'ERR_X_AUTHENTICATION', retryable: false }), 2],
    ['a right that is missing', new OperationError('no', { code: 'ERR_X_PERMISSION', retryable: false }), 2],
    ['a store that is away', new ConnectionError('no', { retryable: true }), 1],
    ['a call that took too long', new TimeoutError('no', {}), 1],
    ['something that broke', new OperationError('no', { code: 'ERR_X' }), 1],
    ['what nobody foresaw', new TypeError('no'), 1],
  ])('of %s', (_name, error, code) => {
    expect(exitCodeOf(error)).toBe(code)
  })

  it('lets a program give a code a meaning of its own', () => {
    expect(exitCodeOf(new OperationError('no', { code: 'ERR_X' }), new Map([['ERR_X', 3]]))).toBe(3)
  })
})
