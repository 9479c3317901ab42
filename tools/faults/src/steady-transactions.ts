import { InfrastructureError } from '@smart-whale/interfaces'
import type { MessagingTransport, Transaction, TransactionalProducer } from '@smart-whale/messaging'

/** What a writer was told of its transactions, by the value that all records of one have. */
export interface TransactionOutcomes {
  readonly committed: Set<string>
  readonly aborted: Set<string>
  /** Those of which nobody will ever be told: the commit got no answer, and the producer was fenced before it could ask again. */
  readonly unknown: Set<string>
}

/** One record of a transaction for each partition of these topics. */
export interface TransactionTarget {
  readonly topic: string
  readonly partitions: number
}

/** Every so often a transaction is taken back. */
const ABORT_EVERY = 7
const PATIENCE = { timeoutMs: 8000 }
/** A cluster that lost a broker may need so long to find another coordinator. */
const LONG_PATIENCE = { timeoutMs: 60_000 }

const isFenced = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_PRODUCER_FENCED'
const isUnknown = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_TRANSACTION_UNKNOWN'

/** Writes one transaction after the other under an id, until the signal aborts, whatever becomes of each. */
export async function writeTransactions(transport: MessagingTransport, id: string, targets: readonly TransactionTarget[], outcomes: TransactionOutcomes, until: AbortSignal): Promise<void> {
  let producer: TransactionalProducer | null = null
  for (let number = 0; !until.aborted; number++) {
    try {
      producer ??= await transport.transactional(id, LONG_PATIENCE)
      const transaction = await producer.begin(LONG_PATIENCE)
      await writeOne(transaction, `${id}/${number}`, targets, outcomes, number % ABORT_EVERY === 0)
    } catch (error) {
      if (isFenced(error)) producer = null
      else if (!(InfrastructureError.isInstance(error) && error.retryable)) throw error
    }
  }
  await producer?.close()
}

async function writeOne(transaction: Transaction, value: string, targets: readonly TransactionTarget[], outcomes: TransactionOutcomes, isTakenBack: boolean): Promise<void> {
  try {
    const recordsOf = (partitions: number) => Array.from({ length: partitions }, (_, partition) => ({ value, partition }))
    await Promise.all(targets.map(({ topic, partitions }) => transaction.send(topic, recordsOf(partitions), PATIENCE)))
    if (isTakenBack) throw new TakenBack()
    await commitUntilKnown(transaction)
    outcomes.committed.add(value)
  } catch (error) {
    const set = isUnknown(error) ? outcomes.unknown : outcomes.aborted
    set.add(value)
    if (!isUnknown(error)) await transaction.abort(PATIENCE).catch(() => {})
    if (!(error instanceof TakenBack)) throw error
  }
}

class TakenBack extends TypeError {}

async function commitUntilKnown(transaction: Transaction): Promise<void> {
  for (;;) {
    try {
      return await transaction.commit(PATIENCE)
    } catch (error) {
      if (!isUnknown(error) || isFenced((error as { readonly cause?: unknown }).cause)) throw error
    }
  }
}
