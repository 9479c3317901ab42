import { runCall } from '../run-call.ts'
import type { TopicAdmin, TopicDescription, TopicSettings, TransportCallOptions } from '../transport.ts'
import type { EmbeddedBroker } from './broker.ts'

/** Topics of an embedded broker. */
export class MemoryTopicAdmin implements TopicAdmin {
  readonly #broker: EmbeddedBroker
  readonly #checkRunning: (what: string) => void

  constructor(broker: EmbeddedBroker, checkRunning: (what: string) => void) {
    this.#broker = broker
    this.#checkRunning = checkRunning
  }

  create(name: string, settings: TopicSettings, options?: TransportCallOptions): Promise<boolean> {
    return this.#call(`creating topic "${name}"`, options, () => this.#broker.createTopic(name, settings))
  }

  delete(name: string, options?: TransportCallOptions): Promise<boolean> {
    return this.#call(`deleting topic "${name}"`, options, () => this.#broker.deleteTopic(name))
  }

  list(options?: TransportCallOptions): Promise<readonly string[]> {
    return this.#call('listing topics', options, async () => this.#broker.topicNames())
  }

  describe(name: string, options?: TransportCallOptions): Promise<TopicDescription | null> {
    return this.#call(`describing topic "${name}"`, options, async () => this.#broker.findTopic(name)?.description ?? null)
  }

  brokerCount(options?: TransportCallOptions): Promise<number> {
    return this.#call('counting brokers', options, async () => 1)
  }

  async #call<T>(what: string, options: TransportCallOptions | undefined, work: () => Promise<T>): Promise<T> {
    this.#checkRunning(what)
    return runCall(what, options, this.#broker.settings.clock, work)
  }
}
