import { randomUUID } from 'node:crypto'
import { isMessagingError } from '../errors.ts'
import type { MessagingTransport, TransactionalProducer } from '../transport.ts'
import { type MessageTransaction, TransactionWriter, type TransactionWriterOptions } from './message-transaction.ts'

/** How one transaction of a service is run. */
export interface ServiceTransactionOptions {
  /**
   * Under which id. Transactions of one id run one after the other, and whoever opens it in another process keeps this one out from then
   * on: name a piece of work that only one process may do at a time. @default an id that only this service has
   */
  transactionalId?: string | undefined
  /** Ends the wait for its turn, its sends and its commit. @default undefined */
  signal?: AbortSignal | undefined
}

/** What {@link ServiceTransactions} works with. */
export interface ServiceTransactionsOptions extends TransactionWriterOptions {
  /** Where transactions are kept. @default none, required */
  readonly transport: MessagingTransport
}

/** Those of an id, one after the other. */
interface Lane {
  producer: TransactionalProducer | null
  last: Promise<unknown>
  waiting: number
}

/** Ids whose producers are kept open for the next time. */
const MOST_IDLE = 64

/** The transactions of a service, in turn for each id. */
export class ServiceTransactions {
  readonly #options: ServiceTransactionsOptions
  readonly #ownId = `smart-whale-service/${randomUUID()}`
  readonly #lanes = new Map<string, Lane>()

  constructor(options: ServiceTransactionsOptions) {
    this.#options = options
  }

  /** Runs the work and commits what it sent; when it throws, nothing of that is ever seen. */
  run<T>(work: (transaction: MessageTransaction) => Promise<T>, { transactionalId = this.#ownId, signal }: ServiceTransactionOptions = {}): Promise<T> {
    const lane = this.#lanes.get(transactionalId) ?? { producer: null, last: Promise.resolve(), waiting: 0 }
    this.#lanes.delete(transactionalId)
    this.#lanes.set(transactionalId, lane)
    lane.waiting++
    const turn = lane.last.then(() => this.#run(transactionalId, lane, work, signal))
    lane.last = turn.then(
      () => this.#leave(lane),
      () => this.#leave(lane),
    )
    return turn
  }

  /** Waits for what is under way, then gives all ids up. */
  async close(): Promise<void> {
    const lanes = [...this.#lanes.values()]
    this.#lanes.clear()
    await Promise.all(lanes.map(async (lane) => {
      await lane.last
      await lane.producer?.close()
    }))
  }

  async #run<T>(transactionalId: string, lane: Lane, work: (transaction: MessageTransaction) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const { transport, settings } = this.#options
    const call = { timeoutMs: settings.timeoutMs, signal }
    lane.producer ??= await transport.transactional(transactionalId, call)
    try {
      return await lane.producer.run(async (transaction) => {
        const writer = new TransactionWriter(this.#options, (topic, records, own) => transaction.send(topic, records, { timeoutMs: settings.timeoutMs, signal: own ?? signal }))
        const result = await work(writer)
        await writer.close()
        return result
      }, call)
    } catch (error) {
      // An id of the caller's stays with whoever took it; nobody else can want our own: the broker only lost patience.
      if (transactionalId === this.#ownId && isMessagingError(error) && error.code === 'ERR_MESSAGING_PRODUCER_FENCED') lane.producer = null
      throw error
    }
  }

  async #leave(lane: Lane): Promise<void> {
    lane.waiting--
    if (this.#lanes.size <= MOST_IDLE) return
    const idle = [...this.#lanes].find(([, { waiting }]) => waiting === 0)
    if (idle === undefined) return
    this.#lanes.delete(idle[0])
    await idle[1].producer?.close()
  }
}
