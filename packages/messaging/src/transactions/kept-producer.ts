import type { Clock } from '@smart-whale/interfaces'
import { notConnected } from '../errors.ts'
import { runCall } from '../run-call.ts'
import type { Transaction, TransactionalProducer, TransportCallOptions } from '../transport.ts'
import { OpenTransaction } from './open-transaction.ts'
import { wrongState } from './transaction-errors.ts'
import type { TransactionKeeper } from './transaction-keeper.ts'

/** What a producer of transactions is made from. */
export interface KeptProducerOptions {
  /** Its id. @default none, required */
  readonly transactionalId: string
  /** What the broker does for it. @default none, required */
  readonly keeper: TransactionKeeper
  /** How long one transaction may stay open, in milliseconds. @default none, required */
  readonly transactionTimeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
  /** Told once, when it is closed. */
  readonly onClose: (producer: KeptProducer) => void
}

/** Transactions one after the other, on any broker. */
export class KeptProducer implements TransactionalProducer {
  readonly transactionalId: string
  readonly #options: KeptProducerOptions
  #current: OpenTransaction | null = null
  #isBeginning = false
  #isClosed = false

  constructor(options: KeptProducerOptions) {
    this.#options = options
    this.transactionalId = options.transactionalId
  }

  begin(options?: TransportCallOptions): Promise<Transaction> {
    return this.#begin(options)
  }

  async run<T>(work: (transaction: Transaction) => Promise<T>, options?: TransportCallOptions): Promise<T> {
    const transaction = await this.#begin(options)
    try {
      const result = await work(transaction)
      await transaction.commit(options)
      return result
    } catch (error) {
      // Not with the caller's signal, which may be why.
      if (!transaction.isUndecided) await transaction.abort({ timeoutMs: options?.timeoutMs }).catch(() => {})
      throw error
    }
  }

  async close(options?: TransportCallOptions): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const { keeper, onClose } = this.#options
    try {
      const current = this.#current
      if (current !== null && !current.isUndecided) await current.abort(options).catch(() => {})
    } finally {
      keeper.close()
      onClose(this)
    }
  }

  /** Ends as the process would: nobody is told. */
  crash(): void {
    this.#isClosed = true
    this.#current?.forget()
    this.#options.keeper.close()
  }

  async #begin(options: TransportCallOptions | undefined): Promise<OpenTransaction> {
    const { transactionalId, keeper, clock, transactionTimeoutMs } = this.#options
    if (this.#isClosed) throw notConnected(`beginning a transaction of "${transactionalId}"`)
    const before = this.#current
    if (this.#isBeginning || before?.isOpen === true) throw wrongState(transactionalId, 'one transaction at a time: commit or abort the one before, or open a producer with another id')
    this.#isBeginning = true
    try {
      await runCall(`beginning a transaction of "${transactionalId}"`, options, clock, async (signal) => {
        await before?.settle(signal)
        await keeper.begin(signal)
      })
      this.#current = new OpenTransaction({ transactionalId, keeper, clock, timeoutMs: transactionTimeoutMs })
      return this.#current
    } finally {
      this.#isBeginning = false
    }
  }
}
