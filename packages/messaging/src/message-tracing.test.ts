import type { Span, Tracer } from '@smart-whale/interfaces'
import { silentTracer } from '@smart-whale/interfaces'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MessageTracing } from './message-tracing.ts'
import { readTraceContext, writeTraceContext } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const PARENT = `00-${TRACE}-${SPAN}-01`

/** A tracer that keeps what it was asked for; its spans know where they are if they are told. */
function recordingTracer(spanContext?: () => { traceId: string; spanId: string; traceFlags: number }) {
  const spans: { name: string; options: unknown; events: unknown[] }[] = []
  const tracer: Tracer = {
    startSpan: (name, options) => {
      const events: unknown[] = []
      spans.push({ name, options, events })
      const span: Span = {
        setAttribute: () => {},
        recordException: (error) => void events.push(error.message),
        setStatus: (status) => void events.push(status.code),
        end: () => void events.push('end'),
      }
      return spanContext === undefined ? span : { ...span, spanContext }
    },
  }
  return { tracer, spans }
}

describe('the trace of a message', () => {
  it.each([
    ['nothing', undefined],
    ['too little', `00-${TRACE}-${SPAN}`],
    ['capital letters', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['a version that can not be', `ff-${TRACE}-${SPAN}-01`],
    ['more than version 00 has', `${PARENT}-more`],
    ['a line break', `${PARENT}\n`],
  ])('is none when the header has %s', (_, traceparent) => {
    expect(readTraceContext(traceparent === undefined ? {} : { traceparent })).toBeUndefined()
  })

  it('is read from a later version by what is known of it, and written as version 00', () => {
    const trace = readTraceContext({ traceparent: `01-${TRACE}-${SPAN}-07-more`, tracestate: ' a=1 , b=2 ' })

    expect(trace && writeTraceContext(trace)).toEqual({ traceparent: PARENT, tracestate: 'a=1,b=2' })
  })

  it('carries baggage within bounds: whole members, from the front', () => {
    const long = Array.from({ length: 200 }, (_, index) => `key${index}=${'x'.repeat(200)}`).join(',')

    const baggage = readTraceContext({ traceparent: PARENT, baggage: long })?.baggage ?? ''
    const many = readTraceContext({ traceparent: PARENT, baggage: Array.from({ length: 100 }, (_, index) => `k${index}=1`).join(',') })?.baggage ?? ''

    expect(baggage.length).toBeLessThanOrEqual(8_192)
    expect(baggage.length).toBeGreaterThan(7_900)
    expect(long.startsWith(`${baggage},`)).toBe(true)
    expect(many.split(',')).toHaveLength(64)
    expect(readTraceContext({ traceparent: PARENT, baggage: 'a=1\r\nx: y' })?.baggage).toBeUndefined()
  })

  it('is either nothing or well-formed, whatever the headers have', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant(PARENT), fc.string().map((end) => PARENT + end))
    fc.assert(
      fc.property(text, text, text, (traceparent, tracestate, baggage) => {
        const trace = readTraceContext({ traceparent: Buffer.from(traceparent), tracestate, baggage })
        if (trace === undefined) return
        const written = writeTraceContext(trace)
        expect(written['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
        expect(readTraceContext(written)).toEqual({ ...trace, traceFlags: trace.traceFlags & 1 })
      }),
    )
  })
})

describe('tracing', () => {
  it('links the span of a handler to the messages, ends it, and says what failed', async () => {
    const { tracer, spans } = recordingTracer()
    const tracing = new MessageTracing(tracer)

    await expect(tracing.receive('t', [{ headers: { traceparent: PARENT } }, { headers: {} }], () => Promise.reject(new Error('boom')))).rejects.toThrow('boom')

    expect(spans).toEqual([
      {
        name: 'process t',
        options: {
          attributes: { 'messaging.system': 'kafka', 'messaging.operation.type': 'process', 'messaging.destination.name': 't', 'messaging.batch.message_count': 2 },
          links: [{ context: { traceId: TRACE, spanId: SPAN, traceFlags: 1, traceState: undefined, baggage: undefined, isRemote: true } }],
        },
        events: ['boom', 2, 'end'],
      },
    ])
  })

  it('gives what is sent the trace of the span that knows its own, with the baggage of the message', async () => {
    const { tracer } = recordingTracer(() => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }))
    const tracing = new MessageTracing(tracer)

    const headers = await tracing.receive('t', [{ headers: { traceparent: PARENT, tracestate: 'x=1', baggage: 'tenant=t1' } }], () => tracing.send('u', undefined, async (given) => given))

    expect(headers).toEqual({ traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, baggage: 'tenant=t1' })
  })

  it('begins a trace when there is a tracer and none is under way, and adds nothing when there is neither', async () => {
    const traced = await new MessageTracing(recordingTracer().tracer).send('t', { mine: 'x' }, async (headers) => headers)
    const silent = await new MessageTracing(silentTracer).send('t', { mine: 'x' }, async (headers) => headers)

    expect(traced).toEqual({ mine: 'x', traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) as string })
    expect(silent).toEqual({ mine: 'x' })
  })

  it('lets a sender say the trace itself', async () => {
    const { tracer, spans } = recordingTracer()

    expect(await new MessageTracing(tracer).send('t', { traceparent: PARENT }, async (headers) => headers)).toEqual({ traceparent: PARENT })
    expect(spans).toEqual([])
  })
})
