import { InfrastructureError } from '@smart-whale/interfaces'
import { BROKER, brokerError, isCoordinatorAway, isCoordinatorBusy } from '../broker-errors.ts'
import type { KafkaTarget } from '../kafka-api.ts'
import type { KafkaClient } from './kafka-client.ts'

/** What is coordinated: the members and progress of a consumer group, or the transactions of one id. */
export type CoordinatedKind = 'group' | 'transaction'

/** The broker that keeps a group, or a transaction: found when it is needed, and again when it moved. */
export class GroupCoordinator {
  readonly #client: KafkaClient
  readonly #key: string
  readonly #kind: CoordinatedKind
  #target: KafkaTarget | null = null

  constructor(client: KafkaClient, key: string, kind: CoordinatedKind = 'group') {
    this.#client = client
    this.#key = key
    this.#kind = kind
  }

  /**
   * Repeats a call until the coordinator has answered it; only the signal ends it early. Every answer is handed over but those that say
   * that it isn't the coordinator, or not yet.
   */
  call<T extends { readonly errorCode: number }>(signal: AbortSignal, request: (target: KafkaTarget) => Promise<T>): Promise<T> {
    return this.#client.retry.execute(() => this.ask(signal, request), { signal })
  }

  /** One attempt. Rejects with a retryable error when the coordinator has to be found again. */
  async ask<T extends { readonly errorCode: number }>(signal: AbortSignal, request: (target: KafkaTarget) => Promise<T>): Promise<T> {
    const target = (this.#target ??= await this.#find(signal))
    const answer = await request(target).catch((error: unknown) => {
      if (isPassing(error)) this.#isAway(target)
      throw error
    })
    const isAway = isCoordinatorAway(answer.errorCode)
    if (!isAway && !isCoordinatorBusy(answer.errorCode)) return answer
    if (isAway && this.#target === target) this.#target = null
    throw brokerError(answer.errorCode, `asking the coordinator of ${this.#kind} "${this.#key}"`)
  }

  #isAway(target: KafkaTarget): void {
    this.#client.view.avoid(target)
    if (this.#target === target) this.#target = null
  }

  async #find(signal: AbortSignal): Promise<KafkaTarget> {
    const { api, view, settings } = this.#client
    const what = `finding the coordinator of ${this.#kind} "${this.#key}"`
    let failure: unknown = brokerError(BROKER.COORDINATOR_NOT_AVAILABLE, what)
    for (const node of await view.nodes(signal)) {
      try {
        const { errorCode, node: found } = await api.findCoordinator(node, this.#key, this.#kind, { signal, timeoutMs: Math.min(FIND_TIMEOUT_MS, settings.requestTimeoutMs) })
        if (errorCode === BROKER.NONE) return found
        throw brokerError(errorCode, what)
      } catch (error) {
        if (signal.aborted || !isPassing(error)) throw error
        if (!isAnswer(error)) view.avoid(node)
        failure = error
      }
    }
    throw failure
  }
}

/** The question is a small one: who doesn't answer it in this time is passed over. */
const FIND_TIMEOUT_MS = 3_000

const isPassing = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.retryable
const isAnswer = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_BROKER_REFUSED'
