import { randomBytes } from 'node:crypto'

/** Names of the headers that carry a trace (W3C Trace Context and Baggage). */
export const TRACE_HEADERS = { parent: 'traceparent', state: 'tracestate', baggage: 'baggage' } as const

/** Where in a trace a message was sent. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** The span that sent it: 16 hexadecimal digits. */
  readonly spanId: string
  /** 1 when the trace is recorded. */
  readonly traceFlags: number
  /** What tracing systems say of it, as it came. */
  readonly traceState?: string | undefined
  /** What the application says of it, as it came. */
  readonly baggage?: string | undefined
}

// https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/
const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const MAX_STATE_LENGTH = 512
const MAX_STATE_MEMBERS = 32
const MAX_BAGGAGE_LENGTH = 8_192
const MAX_BAGGAGE_MEMBERS = 64
const PRINTABLE = /^[\x20-\x7e\t]*$/

/** Reads a message's trace; undefined when it has none or a malformed one, which must not be passed on. */
export function readTraceContext(headers: Readonly<Record<string, Uint8Array | string>>): TraceContext | undefined {
  const parent = PARENT.exec(textOf(headers[TRACE_HEADERS.parent]) ?? '')
  if (parent === null) return undefined
  const [, version, traceId = '', spanId = '', flags = '00', more] = parent
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    traceState: bounded(textOf(headers[TRACE_HEADERS.state]), MAX_STATE_LENGTH, MAX_STATE_MEMBERS),
    baggage: bounded(textOf(headers[TRACE_HEADERS.baggage]), MAX_BAGGAGE_LENGTH, MAX_BAGGAGE_MEMBERS),
  }
}

/** The headers that carry a trace. */
export function writeTraceContext(trace: TraceContext): Readonly<Record<string, string>> {
  const { traceId, spanId, traceFlags, traceState, baggage } = trace
  return {
    // Of the flags only "recorded" is passed on: the others are not ours to promise.
    [TRACE_HEADERS.parent]: `00-${traceId}-${spanId}-${traceFlags & 1 ? '01' : '00'}`,
    ...(traceState !== undefined && { [TRACE_HEADERS.state]: traceState }),
    ...(baggage !== undefined && { [TRACE_HEADERS.baggage]: baggage }),
  }
}

/** A step below another one, or the first of a new trace. */
export const nextTraceContext = (parent: TraceContext | undefined): TraceContext => ({
  traceFlags: 1,
  ...parent,
  traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
})

/** As many members as the limits allow, from the front; undefined when nothing is left. */
function bounded(list: string | undefined, maxLength: number, maxMembers: number): string | undefined {
  if (list === undefined || !PRINTABLE.test(list)) return undefined
  let kept = ''
  const members = list.split(',', maxMembers).map((member) => member.trim())
  for (const member of members) {
    const longer = kept === '' ? member : `${kept},${member}`
    if (longer.length > maxLength) break
    kept = longer
  }
  return kept === '' ? undefined : kept
}

const textOf = (value: Uint8Array | string | undefined): string | undefined => (value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value)
