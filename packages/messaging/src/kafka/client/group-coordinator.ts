import { type Clock, InfrastructureError } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { BROKER, brokerError, isCoordinationError } from '../broker-errors.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { KafkaApi, KafkaTarget } from '../kafka-api.ts'
import type { KafkaTransportSettings } from '../options.ts'
import { pauseMs } from './call-leader.ts'

/** The broker that keeps a group: found when it is needed, and again when it moved. */
export class GroupCoordinator {
  readonly #api: KafkaApi
  readonly #view: ClusterView
  readonly #settings: KafkaTransportSettings
  readonly #clock: Clock
  readonly #groupId: string
  #target: KafkaTarget | null = null

  constructor(ports: { api: KafkaApi; view: ClusterView; settings: KafkaTransportSettings; clock: Clock }, groupId: string) {
    this.#api = ports.api
    this.#view = ports.view
    this.#settings = ports.settings
    this.#clock = ports.clock
    this.#groupId = groupId
  }

  /**
   * Repeats a call until the group's coordinator has answered it; only the signal ends it early. Every answer is handed over but those
   * that say that it isn't the coordinator, or not yet.
   */
  async call<T extends { readonly errorCode: number }>(signal: AbortSignal, request: (target: KafkaTarget) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0) await sleep(pauseMs(attempt), { signal, clock: this.#clock })
      const answer = await this.callOnce(signal, request)
      if (answer !== null) return answer
    }
  }

  /** One attempt; null when the coordinator has to be found again. */
  async callOnce<T extends { readonly errorCode: number }>(signal: AbortSignal, request: (target: KafkaTarget) => Promise<T>): Promise<T | null> {
    try {
      this.#target ??= await this.#find(signal)
      if (this.#target === null) return null
      const answer = await request(this.#target)
      if (!isCoordinationError(answer.errorCode)) return answer
      if (answer.errorCode !== BROKER.COORDINATOR_LOAD_IN_PROGRESS) this.#target = null
      return null
    } catch (error) {
      this.#target = null
      if (signal.aborted || !(InfrastructureError.isInstance(error) && error.retryable)) throw error
      return null
    }
  }

  async #find(signal: AbortSignal): Promise<KafkaTarget | null> {
    for (const node of await this.#view.nodes(signal)) {
      try {
        const { errorCode, node: found } = await this.#api.findCoordinator(node, this.#groupId, 'group', { signal, timeoutMs: this.#settings.requestTimeoutMs })
        if (errorCode === BROKER.NONE) return found
        if (!isCoordinationError(errorCode)) throw brokerError(errorCode, `finding the coordinator of group "${this.#groupId}"`)
      } catch (error) {
        if (signal.aborted || !(InfrastructureError.isInstance(error) && error.retryable)) throw error
        this.#view.avoid(node)
      }
    }
    return null
  }
}
