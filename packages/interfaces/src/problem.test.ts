import { describe, expect, it } from 'vitest'
import { ConnectionError, OperationError, TimeoutError, toProblem, ValidationError } from './index.ts'

describe('toProblem', () => {
  it('tells in full what is wrong with the request', () => {
    const issues = [{ path: ['body', 'limit'], message: 'must be at most 1000' }]

    expect(toProblem(new ValidationError('limit is too large', { issues }))).toEqual({
      type: 'about:blank',
      title: 'Bad request',
      status: 400,
      detail: 'limit is too large',
      code: 'ERR_VALIDATION',
      issues,
    })
  })

  it.each([
    [new OperationError('no such table users_private', { code: 'ERR_X' }), 500, 'ERR_X'],
    [new ConnectionError('10.0.0.7 refused'), 503, 'ERR_CONNECTION'],
    [new TimeoutError('select secret took too long'), 504, 'ERR_TIMEOUT'],
    [new TypeError('x.password is undefined'), 500, 'ERR_INTERNAL'],
    ['a string with a password', 500, 'ERR_INTERNAL'],
    [undefined, 500, 'ERR_INTERNAL'],
    [{ statusCode: 503, message: 'upstream 10.0.0.7' }, 500, 'ERR_INTERNAL'],
  ])('tells of what is wrong inside only the code (%#)', (error, status, code) => {
    const problem = toProblem(error)

    expect(problem).toMatchObject({ status, code })
    expect(JSON.stringify(problem)).not.toMatch(/10\.0\.0\.7|secret|password|users_private/)
  })

  it('keeps the status that the error was made with', () => {
    expect(toProblem(new OperationError('not yours', { status: 403, code: 'ERR_FORBIDDEN' }))).toMatchObject({ status: 403, title: 'Not allowed', detail: 'not yours' })
    expect(toProblem(new OperationError('odd', { status: 418 }))).toMatchObject({ status: 418, title: 'Request refused' })
  })

  it('names the fields that an HTTP framework refused', () => {
    const refused = Object.assign(new Error('body must have required property query'), {
      statusCode: 400,
      validationContext: 'body',
      validation: [
        { instancePath: '', message: "must have required property 'query'", params: { missingProperty: 'query' } },
        { instancePath: '/params/limit', message: 'must be integer', params: {} },
        { instancePath: '', message: 'must NOT have additional properties', params: { additionalProperty: 'extra' } },
      ],
    })

    expect(toProblem(refused)).toMatchObject({
      status: 400,
      code: 'ERR_VALIDATION',
      issues: [
        { path: ['body', 'query'], message: "must have required property 'query'" },
        { path: ['body', 'params', 'limit'], message: 'must be integer' },
        { path: ['body', 'extra'], message: 'must NOT have additional properties' },
      ],
    })
  })

  it('passes on what an HTTP framework refused without naming fields', () => {
    expect(toProblem(Object.assign(new Error('Request body is too large'), { statusCode: 413 }))).toEqual({
      type: 'about:blank',
      title: 'Too large',
      status: 413,
      detail: 'Request body is too large',
      code: 'ERR_REQUEST_REFUSED',
    })
  })
})
