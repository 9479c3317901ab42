import type { Clock } from '@smart-whale/interfaces'

/** A server-sent event. */
export interface SentEvent {
  readonly name: string
  /** What a caller who comes back names in `Last-Event-ID`. */
  readonly id?: string | undefined
  /** Written as JSON, on one line. */
  readonly data: unknown
}

/** An event as it goes over the wire. */
export function writtenEvent({ name, id, data }: SentEvent): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}

/** How events become a stream. */
export interface EventStreamOptions {
  /** Time without an event after which a comment is sent, in milliseconds, so that proxies keep the connection and a dead one is found. */
  readonly heartbeatMs: number
  /** Whose time passes. */
  readonly clock: Clock
}

/** Texts of events as they come, and of comments where none come. */
export async function* eventStream(first: readonly string[], events: AsyncIterator<string, undefined>, { heartbeatMs, clock }: EventStreamOptions): AsyncGenerator<string, undefined> {
  try {
    yield* first
    let pending = events.next()
    for (;;) {
      const next = await withinBeat(pending, heartbeatMs, clock)
      if (next === undefined) {
        yield ': still here\n\n'
        continue
      }
      if (next.done === true) return undefined
      yield next.value
      pending = events.next()
    }
  } finally {
    await events.return?.()
  }
}

/** The next event, or nothing when it takes longer than a beat. */
async function withinBeat<T>(pending: Promise<T>, heartbeatMs: number, clock: Clock): Promise<T | undefined> {
  let timer: unknown
  const beat = new Promise<undefined>((resolve) => (timer = clock.setTimeout(() => resolve(undefined), heartbeatMs)))
  try {
    return await Promise.race([pending, beat])
  } finally {
    clock.clearTimeout(timer)
  }
}
