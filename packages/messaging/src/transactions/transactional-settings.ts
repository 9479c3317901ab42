import { kindOf, messagingValidationError } from '../errors.ts'
import type { TransactionalOptions } from '../transport.ts'

const DEFAULT_TRANSACTION_TIMEOUT_MS = 10_000
/** Kafka's own bound of a text in its protocol. */
const MAX_ID_BYTES = 32_767

/** How long a transaction of this id may stay open, in milliseconds. @throws ValidationError when the id or the option can't be */
export function checkTransactional(transactionalId: unknown, { transactionTimeoutMs = DEFAULT_TRANSACTION_TIMEOUT_MS }: TransactionalOptions = {}): number {
  if (typeof transactionalId !== 'string' || transactionalId === '' || Buffer.byteLength(transactionalId) > MAX_ID_BYTES) {
    throw wrong('transactionalId', `must be a text of 1 to ${MAX_ID_BYTES} bytes, got ${transactionalId === '' ? 'an empty one' : kindOf(transactionalId)}`)
  }
  if (typeof transactionTimeoutMs !== 'number' || !(transactionTimeoutMs >= 1 && transactionTimeoutMs <= 2 ** 31 - 1)) {
    throw wrong('transactionTimeoutMs', `must be milliseconds from 1 to ${2 ** 31 - 1}, got ${kindOf(transactionTimeoutMs)}`)
  }
  return Math.ceil(transactionTimeoutMs)
}

function wrong(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
