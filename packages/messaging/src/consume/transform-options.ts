import type { ReceivedMessage } from '@smart-whale/interfaces'
import type { MessageTransaction } from '../transactions/message-transaction.ts'
import type { SubscribeBatchOptions } from './subscribe-options.ts'

/**
 * Makes messages of messages. What it sends with the transaction is seen together with the progress past the messages that it was handed, or
 * not at all; what a run sent that then threw is dropped. Effects elsewhere it may repeat.
 */
export type TransformHandler = (messages: readonly ReceivedMessage[], transaction: MessageTransaction, context: { signal: AbortSignal }) => Promise<void> | void

/** How one transformation works. */
export type TransformOptions = Pick<SubscribeBatchOptions, 'batchSize' | 'startFrom' | 'retry' | 'expired' | 'handlerTimeoutMs' | 'breaker'>

/** Marks a handler of transformations among those of messages. */
export interface TransformWork {
  readonly transform: TransformHandler
}
