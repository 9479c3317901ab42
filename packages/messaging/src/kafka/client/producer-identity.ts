import { InfrastructureError } from '@smart-whale/interfaces'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { KafkaClient } from './kafka-client.ts'

/** Who sends to a partition, and the number of its next record: a batch that comes twice under one number is stored once. */
export interface Producer {
  readonly id: bigint
  readonly epoch: number
  sequence: number
  readonly isTransactional?: boolean
}

/** Under whose numbers the batches of one partition are sent. */
export interface SenderIdentity {
  /** Named in every request; null without transactions. */
  readonly transactionalId: string | null
  /** The producer, with room for so many records before its numbers end. */
  current(records: number, signal: AbortSignal): Promise<Producer>
  /** Its numbers are never used again. Whether another producer may send what these were for, if the broker surely hasn't got it. */
  giveUp(): boolean
}

/** Numbers go up to here. */
export const LARGEST_SEQUENCE: number = 2 ** 31 - 1

/** The producer of one partition, and another one when its numbers must not be used any more. */
export class ProducerIdentity implements SenderIdentity {
  readonly transactionalId = null
  readonly #client: KafkaClient
  #producer: Producer | null = null

  constructor(client: KafkaClient) {
    this.#client = client
  }

  async current(records: number, signal: AbortSignal): Promise<Producer> {
    if (this.#producer !== null && this.#producer.sequence > LARGEST_SEQUENCE - Math.max(records, SPARE)) this.#producer = null
    this.#producer ??= await this.#make(signal)
    return this.#producer
  }

  giveUp(): boolean {
    this.#producer = null
    return true
  }

  async #make(signal: AbortSignal): Promise<Producer> {
    const { api, view, settings } = this.#client
    const what = 'asking for a producer id'
    let failure: unknown = brokerError(BROKER.BROKER_NOT_AVAILABLE, what)
    for (const node of await view.nodes(signal)) {
      try {
        const { errorCode, producerId, producerEpoch } = await api.initProducerId(node, NO_TRANSACTIONS, { signal, timeoutMs: settings.requestTimeoutMs })
        if (errorCode === BROKER.NONE) return { id: producerId, epoch: producerEpoch, sequence: 0 }
        failure = brokerError(errorCode, what)
      } catch (error) {
        if (signal.aborted || !(InfrastructureError.isInstance(error) && error.retryable)) throw error
        view.avoid(node)
        failure = error
      }
    }
    throw failure
  }
}

const NO_TRANSACTIONS = { transactionalId: null, transactionTimeoutMs: -1, producerId: -1n, producerEpoch: -1 }
/** More records than a batch can have. */
export const SPARE: number = 2 ** 24
