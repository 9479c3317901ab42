import assert from 'node:assert/strict'
import { ConnectionError, InfrastructureError, OperationError, TimeoutError, ValidationError } from '../errors.ts'

const KINDS = { InfrastructureError, ConnectionError, OperationError, TimeoutError, ValidationError }

/** The classes that a contract can ask for, by name. */
export type ErrorKind = keyof typeof KINDS

/** What the promise was rejected with; a failure when it wasn't. */
export async function rejectionOf(promise: Promise<unknown>, what: string): Promise<unknown> {
  const outcome = await promise.then(
    () => ({ error: undefined, resolved: true }),
    (error: unknown) => ({ error, resolved: false }),
  )
  assert.ok(!outcome.resolved, `${what} must be refused; it was accepted`)
  return outcome.error
}

/** Fails unless the promise is rejected with an error of that class, and hands the error on. */
export async function assertRejected(promise: Promise<unknown>, kind: ErrorKind, what: string): Promise<InfrastructureError> {
  const error = await rejectionOf(promise, what)
  assertErrorKind(error, kind, what)
  return error
}

/** Fails unless the error is of that class. */
export function assertErrorKind(error: unknown, kind: ErrorKind, what: string): asserts error is InfrastructureError {
  const described = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  assert.ok(KINDS[kind].isInstance(error), `${what} must fail with a ${kind}; it failed with ${described}`)
  assert.ok(error.code.length > 0, `${what} must fail with a code`)
  assert.ok(error.message.length > 0, `${what} must fail with a message`)
}

/** Fails unless the promise is rejected with `ERR_ABORTED`. */
export async function assertAborted(promise: Promise<unknown>, what: string): Promise<void> {
  const error = await assertRejected(promise, 'InfrastructureError', `${what} whose signal is aborted`)
  assert.ok(!TimeoutError.isInstance(error), `${what} was aborted by its caller and must not call that a timeout`)
}
