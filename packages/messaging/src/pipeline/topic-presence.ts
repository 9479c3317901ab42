import type { MessagingTransport } from '../transport.ts'

/** Less than a probe of health may take: a broker that hangs is the other probes' to tell. */
const LOOK_TIMEOUT_MS = 1000

/**
 * Whether the topic of a running pipeline is still there. Nobody tells: a worker whose topic was deleted merely has no partition any more, as one
 * that is spare in its group, and would look healthy.
 */
export class TopicPresence {
  readonly #topics: Pick<MessagingTransport['topics'], 'describe'>
  readonly #topic: string
  #isGone = false

  constructor(topics: Pick<MessagingTransport['topics'], 'describe'>, topic: string) {
    this.#topics = topics
    this.#topic = topic
  }

  /** What the broker said last, and what helps; null while the topic is there. */
  get lack(): string | null {
    if (!this.#isGone) return null
    return `topic "${this.#topic}" is gone: it was deleted while the pipeline ran. Make it again, and the pipeline goes on by itself where nothing of the old one is stored; or take the pipeline out`
  }

  /** Asks the broker. One that doesn't answer says nothing about the topic. */
  async look({ signal }: { signal?: AbortSignal | undefined }): Promise<void> {
    await this.#topics.describe(this.#topic, { signal, timeoutMs: LOOK_TIMEOUT_MS }).then(
      (description) => (this.#isGone = description === null),
      () => {},
    )
  }
}
