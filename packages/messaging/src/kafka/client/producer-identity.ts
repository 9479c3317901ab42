import { InfrastructureError } from '@smart-whale/interfaces'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { KafkaClient } from './kafka-client.ts'

/** Who sends to a partition, and the number of its next record: a batch that comes twice under one number is stored once. */
export interface Producer {
  readonly id: bigint
  readonly epoch: number
  sequence: number
}

const LARGEST_SEQUENCE = 2 ** 31 - 1

/** The producer of one partition, and another one when its numbers must not be used any more. */
export class ProducerIdentity {
  readonly #client: KafkaClient
  #producer: Producer | null = null

  constructor(client: KafkaClient) {
    this.#client = client
  }

  /** The producer, with room for so many records before its numbers end. */
  async current(records: number, signal: AbortSignal): Promise<Producer> {
    if (this.#producer !== null && this.#producer.sequence > LARGEST_SEQUENCE - Math.max(records, SPARE)) this.#producer = null
    this.#producer ??= await this.#make(signal)
    return this.#producer
  }

  /** Its numbers are never used again. */
  giveUp(): void {
    this.#producer = null
  }

  async #make(signal: AbortSignal): Promise<Producer> {
    const { api, view, settings } = this.#client
    const what = 'asking for a producer id'
    let failure: unknown = brokerError(BROKER.BROKER_NOT_AVAILABLE, what)
    for (const node of await view.nodes(signal)) {
      try {
        const { errorCode, producerId, producerEpoch } = await api.initProducerId(node, null, { signal, timeoutMs: settings.requestTimeoutMs })
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

/** More records than a batch can have. */
const SPARE = 2 ** 24
