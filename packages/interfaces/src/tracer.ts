/** One timed operation; the smallest part of an OpenTelemetry span. */
export interface Span {
  setAttribute(key: string, value: string | number | boolean): unknown
  recordException(error: Error): void
  /** `code` 1 is ok, 2 is error, as in OpenTelemetry. */
  setStatus(status: { code: number; message?: string }): unknown
  end(): void
}

/** Makes spans; an OpenTelemetry tracer fits as it is. */
export interface Tracer {
  startSpan(name: string, options?: { attributes?: Record<string, string | number | boolean> }): Span
}

const silentSpan: Span = { setAttribute: () => {}, recordException: () => {}, setStatus: () => {}, end: () => {} }

/** The default everywhere: traces nothing. */
export const silentTracer: Tracer = { startSpan: () => silentSpan }
