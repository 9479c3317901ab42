import type { Clock } from '@smart-whale/interfaces'
import { topicNotFound } from '../errors.ts'
import type { MessagingTransport } from '../transport.ts'

const KEEP_MS = 5_000

/** Knows the ids of topics, asked for again every few seconds: a topic may be deleted and made again under its name. */
export class TopicIds {
  readonly #transport: Pick<MessagingTransport, 'topics'>
  readonly #clock: Clock
  readonly #known = new Map<string, { readonly id: Promise<string>; readonly until: number }>()

  constructor(transport: Pick<MessagingTransport, 'topics'>, clock: Clock) {
    this.#transport = transport
    this.#clock = clock
  }

  /** @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND` */
  of(topic: string): Promise<string> {
    const known = this.#known.get(topic)
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.id
    const id = this.#ask(topic)
    this.#known.set(topic, { id, until: this.#clock.monotonic() + KEEP_MS })
    id.catch(() => this.#known.delete(topic))
    return id
  }

  async #ask(topic: string): Promise<string> {
    const described = await this.#transport.topics.describe(topic)
    if (described === null) throw topicNotFound(topic)
    return described.id
  }
}
