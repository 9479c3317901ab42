import { LARGEST_SEQUENCE, type Producer, type SenderIdentity, SPARE } from '../producer-identity.ts'

/** What a transactional producer is to the senders of its partitions. */
export interface IdentityKeeper {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Has the partition made known as one of the open transaction. Rejects when there is none. */
  add(topic: string, partition: number, signal: AbortSignal): Promise<void>
  /** Has the next transaction begin under another epoch. */
  wantEpoch(): void
}

/** The numbers of one partition under a transactional id: they go on from one transaction to the next, and begin anew with each epoch. */
export class TransactionalIdentity implements SenderIdentity {
  readonly transactionalId: string
  readonly #keeper: IdentityKeeper
  readonly #topic: string
  readonly #partition: number
  #producer: Producer | null = null

  constructor(keeper: IdentityKeeper, topic: string, partition: number) {
    this.transactionalId = keeper.transactionalId
    this.#keeper = keeper
    this.#topic = topic
    this.#partition = partition
  }

  async current(_records: number, signal: AbortSignal): Promise<Producer> {
    await this.#keeper.add(this.#topic, this.#partition, signal)
    const { producerId: id, producerEpoch: epoch } = this.#keeper
    if (this.#producer?.id !== id || this.#producer.epoch !== epoch) this.#producer = { id, epoch, sequence: 0, isTransactional: true }
    if (this.#producer.sequence > LARGEST_SEQUENCE - 4 * SPARE) this.#keeper.wantEpoch()
    return this.#producer
  }

  /** There is no other producer for what belongs to a transaction. */
  giveUp(): boolean {
    this.#keeper.wantEpoch()
    return false
  }
}
