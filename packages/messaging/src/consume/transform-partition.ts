import type { MessageTracing } from '../message-tracing.ts'
import { logOutcomes } from '../log-outcome.ts'
import type { KafkaServiceSettings } from '../service-options.ts'
import { TransactionWriter } from '../transactions/message-transaction.ts'
import type { BatchHandler } from './message-handler.ts'
import type { FailedMessages, FailedMessagesOptions } from './failed-messages.ts'
import { type Delivery, RecordHandler, type RecordHandlerOptions } from './record-handler.ts'
import type { ReadRecord } from './read-record.ts'
import { StagedSends, TransformFlow, type TransformFlowOptions } from './transform-flow.ts'
import type { MessageTransaction } from '../transactions/message-transaction.ts'

/** A batch of messages, and the transaction that takes what is made of them. As with {@link BatchHandler}, those that it names failed. */
export type TransactionalHandler = (messages: Parameters<BatchHandler>[0], transaction: MessageTransaction, context: Parameters<BatchHandler>[1]) => ReturnType<BatchHandler>

/** What a transformation works with in one partition. */
export interface TransformPartitionOptions extends Omit<TransformFlowOptions, 'handle'> {
  /** How the service works. @default none, required */
  readonly settings: KafkaServiceSettings
  /** Gives messages the trace that they belong to. @default none, required */
  readonly tracing: MessageTracing
  /** How messages are handled, whatever the handler does. @default none, required */
  readonly handling: Omit<RecordHandlerOptions, 'handler' | 'failed'>
  /** Makes what puts failed messages where they are safe. @default none, required */
  readonly failedTo: (transport: FailedMessagesOptions['transport']) => FailedMessages
}

/** Transforms one partition's messages until it is revoked: handler, retries and dead letters as for any subscription, all of it into transactions. */
export async function transformPartition(transform: TransactionalHandler, options: TransformPartitionOptions): Promise<void> {
  const { transport, settings, tracing, handling, failedTo } = options
  const writing = { settings, tracing, logged: logOutcomes(settings.logger) }
  let staged = new StagedSends()
  let refused: unknown
  const handler: BatchHandler = async (messages, context) => {
    if (refused !== undefined) throw refused
    const run = new StagedSends(transport.maxRecordBytes)
    const transaction = new TransactionWriter(writing, async (topic, records) => run.add(topic, records))
    const failures = await transform(messages, transaction, context)
    await transaction.close()
    // What a run sent that threw is dropped with it.
    staged.addAll(run)
    return failures
  }
  const letters: FailedMessagesOptions['transport'] = {
    topics: transport.topics,
    send: async (topic, records) => {
      staged.add(topic, records)
      return []
    },
  }
  const records = new RecordHandler({ ...handling, handler, failed: failedTo(letters) })
  await new TransformFlow({
    ...options,
    handle: (batch, signals, into, refusal) => {
      staged = into
      refused = refusal
      return records.handle(batch.map(deliveryOf), signals)
    },
  }).run()
}

const deliveryOf = (record: ReadRecord): Delivery => ({ record, retried: { origin: record, attempt: 0, groupId: undefined, dueAtMs: undefined } })
