import { AsyncLocalStorage } from 'node:async_hooks'
import { silentTracer, type Span, type Tracer } from '@smart-whale/interfaces'
import { nextTraceContext, readTraceContext, type TraceContext, writeTraceContext } from './trace-context.ts'

type Headers = Readonly<Record<string, Uint8Array | string>>

/** What an OpenTelemetry span says of itself beside the port. */
interface IdentifiedSpan extends Span {
  spanContext?(): { readonly traceId: string; readonly spanId: string; readonly traceFlags: number }
}

const current = new AsyncLocalStorage<TraceContext>()
const IS_TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/

/**
 * Carries traces from message to message: a handler runs in the trace of its message, and what it sends belongs to that trace. Works
 * without a tracer too: the trace of others is passed on then.
 */
export class MessageTracing {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** Runs a send under a span of its own; its headers are to go with the message. Headers that the caller gave win. */
  async send<T>(topic: string, given: Headers | undefined, work: (headers: Headers) => Promise<T>): Promise<T> {
    const parent = current.getStore()
    if (given?.['traceparent'] !== undefined || (parent === undefined && this.#tracer === silentTracer)) return work({ ...given })
    const span = this.#tracer.startSpan(`send ${topic}`, { attributes: attributesOf('send', topic) })
    return this.#within(span, () => work({ ...writeTraceContext(contextOf(span, parent)), ...given }))
  }

  /** Runs a handler under a span that names the messages' own traces, and makes the first one's that of whatever it sends. */
  async receive<T>(topic: string, messages: readonly { readonly headers: Headers }[], work: () => Promise<T>): Promise<T> {
    const traces = messages.flatMap(({ headers }) => readTraceContext(headers) ?? [])
    const [first] = traces
    if (first === undefined && this.#tracer === silentTracer) return work()
    // An OpenTelemetry tracer links the spans; others take no notice.
    const options = { attributes: { ...attributesOf('process', topic), 'messaging.batch.message_count': messages.length }, links: traces.map((context) => ({ context: { ...context, isRemote: true } })) }
    const span = this.#tracer.startSpan(`process ${topic}`, options)
    return this.#within(span, () => current.run(contextOf(span, first), work))
  }

  async #within<T>(span: Span, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      span.setStatus({ code: 1 })
      return result
    } catch (error) {
      if (error instanceof Error) span.recordException(error)
      span.setStatus({ code: 2, message: error instanceof Error ? error.message : String(error) })
      throw error
    } finally {
      span.end()
    }
  }
}

/**
 * The trace that a span's messages carry on: the span's own. A span that can't say where it is takes a step in the trace that its message
 * came with, so that traces pass through a service that has no tracer.
 */
function contextOf(span: IdentifiedSpan, parent: TraceContext | undefined): TraceContext {
  const own = span.spanContext?.()
  if (own === undefined || !IS_TRACE_ID.test(own.traceId)) return nextTraceContext(parent)
  const { traceId, spanId, traceFlags } = own
  // The state belongs to a trace, the baggage to whatever the work is about.
  return { traceId, spanId, traceFlags, baggage: parent?.baggage, traceState: parent?.traceId === traceId ? parent.traceState : undefined }
}

const attributesOf = (operation: string, topic: string): Record<string, string> => ({
  'messaging.system': 'kafka',
  'messaging.operation.type': operation,
  'messaging.destination.name': topic,
})
