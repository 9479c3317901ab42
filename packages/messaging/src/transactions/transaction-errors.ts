import { messagingError } from '../errors.ts'

/** Another producer has opened the transactional id since; or the broker has ended a transaction of one that it hadn't heard of for too long. */
export function producerFenced(transactionalId: string, cause?: unknown): Error {
  const message = `another producer has the transactional id "${transactionalId}" by now, or this one was silent for longer than a transaction may take: nothing of its open transaction will be seen; close it, and open another only if the work is still yours`
  return messagingError('ERR_MESSAGING_PRODUCER_FENCED', message, { cause, status: 409, context: { transactionalId } })
}

/** Nothing of a transaction will ever be seen. */
export function transactionAborted(transactionalId: string, why: string, cause?: unknown): Error {
  const message = `the transaction of "${transactionalId}" was aborted, nothing of it will be seen: ${why}; begin another one`
  return messagingError('ERR_MESSAGING_TRANSACTION_ABORTED', message, { cause, retryable: true, status: 503, context: { transactionalId } })
}

/** A commit was asked for, and no answer came. */
export function transactionUnknown(transactionalId: string, cause: unknown): Error {
  const message = `the commit of a transaction of "${transactionalId}" got no answer: all of it is seen, or nothing; call commit() again to find out which`
  return messagingError('ERR_MESSAGING_TRANSACTION_UNKNOWN', message, { cause, retryable: true, status: 503, context: { transactionalId } })
}

/** A call that doesn't fit to where a transaction, or its producer, stands. */
export function wrongState(transactionalId: string, problem: string): Error {
  return messagingError('ERR_MESSAGING_TRANSACTION_STATE', `transactional id "${transactionalId}": ${problem}`, { status: 409, context: { transactionalId } })
}
