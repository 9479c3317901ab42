import { Readable } from 'node:stream'
import type { Clock } from '@smart-whale/interfaces'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { abortWhenCallerLeaves } from './caller-leaves.ts'

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

/** How streams of events are kept. */
export interface EventStreamOptions {
  /** Time without an event after which a comment is sent, in milliseconds, so that proxies keep the connection and a dead one is found. */
  readonly heartbeatMs: number
  /** After how long a stream ends, in milliseconds, for the caller to come back. */
  readonly maxStreamMs: number
  /** Whose time passes. */
  readonly clock: Clock
}

/** The reply to one request that is to be a stream. */
export interface OpenedStream {
  /** Aborted when the caller leaves, when the stream has been there long enough, and when the server closes. */
  readonly signal: AbortSignal
  /** @param events ends when the signal is aborted */
  send(lead: readonly string[], events: AsyncIterator<string, undefined>): FastifyReply
}

/** @returns what opens a reply's stream; all of them end when the server closes, which would else wait for them */
export function eventStreams(fastify: FastifyInstance, options: EventStreamOptions): (reply: FastifyReply) => OpenedStream {
  const { maxStreamMs, clock } = options
  const closing = new AbortController()
  fastify.addHook('preClose', async () => closing.abort(new DOMException('the server closes', 'AbortError')))
  return (reply) => {
    const lifetime = new AbortController()
    const signal = AbortSignal.any([abortWhenCallerLeaves(reply), closing.signal, lifetime.signal])
    const send = (lead: readonly string[], events: AsyncIterator<string, undefined>): FastifyReply => {
      const timer = clock.setTimeout(() => lifetime.abort(), maxStreamMs)
      const body = Readable.from(eventTexts(lead, events, options), { objectMode: true, highWaterMark: 1 })
      body.once('close', () => clock.clearTimeout(timer))
      return reply.headers({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' }).send(body)
    }
    return { signal, send }
  }
}

/** Texts of events as they come, and of comments where none come. */
async function* eventTexts(lead: readonly string[], events: AsyncIterator<string, undefined>, { heartbeatMs, clock }: EventStreamOptions): AsyncGenerator<string, undefined> {
  try {
    yield* lead
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
