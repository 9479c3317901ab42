import type { KafkaApi } from '../../../src/kafka/kafka-api.ts'

/** What goes wrong with one request. */
export type Fault =
  /** The connection breaks before the request has left. */
  | 'never leaves'
  /** It leaves, and the connection breaks before the broker has it. */
  | 'request lost'
  /** The broker carries it out, and the connection breaks before the answer is here. */
  | 'answer lost'
  /** Nothing comes back, and the broker never had it. */
  | 'request swallowed'
  /** Nothing comes back, and the broker carried it out. */
  | 'answer swallowed'
  /** The broker refuses with this code of Kafka's, and does nothing. */
  | { readonly refusedWith: number }
  /** The broker does it, and says this code all the same. */
  | { readonly doneButSaid: number }
  /** The answer takes so many milliseconds longer. */
  | { readonly lateMs: number }

/** Requests of the typed API. */
export type ApiName = keyof KafkaApi

/** What goes wrong next, kind of request by kind of request; afterwards nothing does. */
export class Faults {
  readonly #planned = new Map<ApiName, Fault[]>()
  readonly #asked = new Map<ApiName, number>()

  /** The next requests of the kind meet these faults, one each. */
  plan(api: ApiName, ...faults: readonly Fault[]): void {
    this.#planned.set(api, [...(this.#planned.get(api) ?? []), ...faults])
  }

  /** How many requests of the kind there were. */
  asked(api: ApiName): number {
    return this.#asked.get(api) ?? 0
  }

  next(api: ApiName): Fault | undefined {
    this.#asked.set(api, this.asked(api) + 1)
    return this.#planned.get(api)?.shift()
  }

  clear(): void {
    this.#planned.clear()
  }
}
