import { outsideOfCalls } from '@smart-whale/core-resilience'
import type { Clock, TimerHandle } from '@smart-whale/interfaces'
import type { ReplyInbox } from './reply-inbox.ts'

/** How long an inbox stays open when nobody waits for an answer in it. */
const LINGER_MS = 60_000

interface SharedInbox {
  readonly opened: Promise<ReplyInbox>
  users: number
  timer: TimerHandle | undefined
}

/** One inbox for each topic of answers, for all requests of a process; it is closed when it has not been used for a while. */
export class SharedInboxes {
  readonly #clock: Clock
  readonly #make: (topic: string) => Promise<ReplyInbox>
  readonly #inboxes = new Map<string, SharedInbox>()
  readonly #closing = new Set<Promise<unknown>>()

  constructor(clock: Clock, make: (topic: string) => Promise<ReplyInbox>) {
    this.#clock = clock
    this.#make = make
  }

  /** Resolves when the topic is being read, with what ends this use. */
  async use(topic: string): Promise<() => void> {
    const shared = this.#inboxes.get(topic) ?? this.#open(topic)
    shared.users++
    this.#clock.clearTimeout(shared.timer)
    shared.timer = undefined
    try {
      await shared.opened
    } catch (error) {
      shared.users--
      throw error
    }
    return () => {
      shared.users--
      if (shared.users === 0 && this.#inboxes.get(topic) === shared) shared.timer = this.#clock.setTimeout(() => this.#close(topic, shared), LINGER_MS)
    }
  }

  async closeAll(): Promise<void> {
    for (const [topic, shared] of this.#inboxes) this.#close(topic, shared)
    await Promise.all(this.#closing)
  }

  #open(topic: string): SharedInbox {
    const opening = async (): Promise<ReplyInbox> => {
      const inbox = await this.#make(topic)
      await inbox.open()
      // The next request makes the topic again, and reads that one.
      inbox.gone.addEventListener('abort', () => this.#close(topic, shared), { once: true })
      return inbox
    }
    const shared: SharedInbox = { opened: outsideOfCalls(opening), users: 0, timer: undefined }
    this.#inboxes.set(topic, shared)
    // One that could not be opened is not kept: the next request tries again.
    shared.opened.catch(() => this.#inboxes.get(topic) === shared && this.#inboxes.delete(topic))
    return shared
  }

  #close(topic: string, shared: SharedInbox): void {
    this.#clock.clearTimeout(shared.timer)
    if (this.#inboxes.get(topic) === shared) this.#inboxes.delete(topic)
    const closing = shared.opened.then(
      (inbox) => inbox.close(),
      () => {},
    )
    this.#closing.add(closing)
    void closing.finally(() => this.#closing.delete(closing))
  }
}
