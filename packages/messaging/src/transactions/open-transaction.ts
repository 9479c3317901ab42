import type { Clock, TimerHandle } from '@smart-whale/interfaces'
import { isMessagingError, kindOf, messagingValidationError } from '../errors.ts'
import { runCall } from '../run-call.ts'
import type { OutgoingRecord, PartitionReader, Transaction, TransportCallOptions } from '../transport.ts'
import { transactionAborted, transactionUnknown, wrongState } from './transaction-errors.ts'
import type { StagedOffset, TransactionKeeper } from './transaction-keeper.ts'

/** What a transaction is made from. */
export interface OpenTransactionOptions {
  /** Under which id. @default none, required */
  readonly transactionalId: string
  /** What the broker does for it. @default none, required */
  readonly keeper: TransactionKeeper
  /** How long it may stay open, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
}

/** Errors of a commit that tell by themselves that nothing will be seen. */
const SAY_IT_THEMSELVES = new Set(['ERR_MESSAGING_FENCED', 'ERR_MESSAGING_PRODUCER_FENCED', 'ERR_MESSAGING_TRANSACTION_ABORTED'])

/** One transaction, from its beginning until it is known how it ended. */
export class OpenTransaction implements Transaction {
  readonly #options: OpenTransactionOptions
  readonly #doom = new AbortController()
  readonly #sends = new Set<Promise<void>>()
  readonly #offsets = new Map<string, StagedOffset>()
  readonly #timer: TimerHandle
  #state: 'open' | 'committing' | 'undecided' | 'committed' | 'doomed' = 'open'
  #aborting: Promise<void> | null = null

  constructor(options: OpenTransactionOptions) {
    const { transactionalId, clock, timeoutMs } = options
    this.#options = options
    const giveUp = (): void => this.#giveUp(transactionAborted(transactionalId, `it was open for longer than ${timeoutMs} ms`))
    this.#timer = clock.setTimeout(giveUp, timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#doom.signal
  }

  /** Whether the next one has to wait for somebody to end this one. */
  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'committing'
  }

  /** Whether a commit got no answer. */
  get isUndecided(): boolean {
    return this.#state === 'undecided'
  }

  send(topic: string, records: readonly OutgoingRecord[], options?: TransportCallOptions): Promise<void> {
    const sending = this.#send(topic, records, options)
    const ending = sending.catch(() => {}).finally(() => this.#sends.delete(ending))
    this.#sends.add(ending)
    return sending
  }

  commitOffset(reader: PartitionReader, nextOffset: bigint, { metadata = '' }: { metadata?: string | undefined } = {}): void {
    this.#checkOpen('storing progress')
    this.#options.keeper.checkOffset(reader, nextOffset)
    this.#offsets.set(`${reader.topicId}/${reader.partition}`, { reader, nextOffset, metadata })
  }

  async commit(options?: TransportCallOptions): Promise<void> {
    const { transactionalId, clock, keeper } = this.#options
    if (this.#state === 'committed') return
    if (this.#state === 'committing') throw wrongState(transactionalId, 'it is being committed already: await that')
    this.#checkNotDoomed()
    this.#state = 'committing'
    clock.clearTimeout(this.#timer)
    try {
      await runCall(`committing a transaction of "${transactionalId}"`, options, clock, async (signal) => {
        await this.#untilSent()
        if (this.signal.aborted) throw this.signal.reason
        await keeper.commit([...this.#offsets.values()], signal)
      })
      this.#state = 'committed'
    } catch (error) {
      throw this.#notCommitted(error)
    }
  }

  async abort(options?: TransportCallOptions): Promise<void> {
    const { transactionalId, clock } = this.#options
    if (this.#state === 'committed' || this.#state === 'committing') throw wrongState(transactionalId, `it is ${this.#state} already: there is nothing to abort`)
    if (this.#state === 'undecided') throw wrongState(transactionalId, 'its commit was asked for and may have been carried out: call commit() again to find out')
    this.#giveUp(transactionAborted(transactionalId, 'its owner took it back'))
    // Without an answer it is aborted all the same: nobody will ask for its commit, and the broker ends it when its time is over.
    await runCall(`aborting a transaction of "${transactionalId}"`, options, clock, () => this.#aborting ?? Promise.resolve())
  }

  /** Nobody goes on with it, and nobody is told. */
  forget(): void {
    this.#options.clock.clearTimeout(this.#timer)
  }

  /** Resolves when it is known how it ended. */
  async settle(signal: AbortSignal): Promise<void> {
    if (this.#state === 'undecided') await this.commit({ signal }).catch((error: unknown) => this.#throwUndecided(error))
    await this.#aborting
  }

  async #send(topic: string, records: readonly OutgoingRecord[], options: TransportCallOptions | undefined): Promise<void> {
    const { clock, keeper } = this.#options
    this.#checkOpen('sending')
    try {
      if (!Array.isArray(records)) throw notRecords(records)
      await runCall(`sending ${records.length} records to topic "${topic}" in a transaction`, options, clock, (signal) => keeper.send(topic, records, signal))
    } catch (error) {
      this.#giveUp(error)
      throw error
    }
  }

  /** From now on it can't be committed. Sends that are under way come to their end first, so that nothing of it arrives behind its end. */
  #giveUp(reason: unknown): void {
    if (this.#aborting !== null || this.#state === 'committed') return
    const { transactionalId, clock, keeper } = this.#options
    if (this.#state !== 'committing') this.#state = 'doomed'
    clock.clearTimeout(this.#timer)
    this.#doom.abort(reason)
    this.#aborting = this.#untilSent()
      .then(() => runCall(`aborting a transaction of "${transactionalId}"`, undefined, clock, (signal) => keeper.abort(signal)))
      // The next one that begins sees to it.
      .catch(() => {})
  }

  /** What a commit that failed came to. */
  #notCommitted(error: unknown): unknown {
    const { transactionalId, keeper } = this.#options
    if (keeper.isUndecided) {
      this.#state = 'undecided'
      return transactionUnknown(transactionalId, error)
    }
    this.#state = 'doomed'
    this.#giveUp(error)
    if (isMessagingError(error) && SAY_IT_THEMSELVES.has(error.code)) return error
    return transactionAborted(transactionalId, 'it could not be committed', error)
  }

  /** Who is fenced will never find out, and begins nothing any more. */
  #throwUndecided(error: unknown): void {
    const { cause } = error as { readonly cause?: unknown }
    const isFenced = isMessagingError(cause) && cause.code === 'ERR_MESSAGING_PRODUCER_FENCED'
    if (this.#state === 'undecided' && !isFenced) throw error
  }

  async #untilSent(): Promise<void> {
    await Promise.all(this.#sends)
  }

  #checkOpen(what: string): void {
    this.#checkNotDoomed()
    if (this.#state !== 'open') throw wrongState(this.#options.transactionalId, `${what} is too late: the transaction is ${this.#state}`)
  }

  #checkNotDoomed(): void {
    if (!this.signal.aborted) return
    const { reason } = this.signal
    if (isMessagingError(reason) && SAY_IT_THEMSELVES.has(reason.code)) throw reason
    throw transactionAborted(this.#options.transactionalId, 'a part of it failed', reason)
  }
}

function notRecords(records: unknown): Error {
  const message = `must be an array of records, got ${kindOf(records)}`
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `records ${message}`, [{ path: ['records'], message }])
}
