import { type Clock, type MetricsSink, systemClock } from '@smart-whale/interfaces'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify'

/** What {@link httpMetrics} measures with. */
export interface HttpMetricsOptions {
  /** Where the measurements go. @default none, required */
  metrics: MetricsSink
  /** Upper bounds of the duration's buckets, in seconds. @default [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] */
  bucketsSeconds?: readonly number[]
  /** Source of the time. @default systemClock */
  clock?: Clock
}

/** An app with whatever logger: Fastify's own `FastifyInstance` takes only apps with its default one. */
type AppWith<AppLogger extends FastifyBaseLogger> = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  AppLogger
>

const DEFAULT_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const STREAM_BUCKETS_SECONDS = [1, 10, 60, 300, 900, 3600, 14_400]
const NO_LABELS = {}
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** nginx's status for a caller who went away; nothing was sent, so there is no real one. */
const ABORTED = 499

/**
 * Measures the requests of an app: how many, how long, with which status, and how many are under way. Streams of server-sent events have a histogram of their own.
 * The label `route` is the route's pattern (`/timeseries/:table`), never the address that was asked for, which anybody could make
 * endlessly many of.
 *
 * Not a plugin, because a plugin sees only the routes within itself: call it on the app before anything is registered.
 */
export function httpMetrics<AppLogger extends FastifyBaseLogger>(app: AppWith<AppLogger>, options: HttpMetricsOptions): void {
  const { metrics, bucketsSeconds = DEFAULT_BUCKETS_SECONDS, clock = systemClock } = options
  const durations = metrics.histogram({
    name: 'smart_whale_http_request_duration_seconds',
    help: 'Time from the request line to the last byte of the answer',
    labelNames: ['method', 'route', 'status'],
    buckets: bucketsSeconds,
  })
  const streams = metrics.histogram({
    name: 'smart_whale_http_stream_duration_seconds',
    help: 'Time that a stream of events was open; such a stream is no slow request',
    labelNames: ['method', 'route'],
    buckets: STREAM_BUCKETS_SECONDS,
  })
  const underWay = metrics.gauge({ name: 'smart_whale_http_requests_in_flight', help: 'Requests that are being answered' })
  let count = 0

  app.addHook('onRequest', (request, reply, done) => {
    const started = clock.monotonic()
    underWay.set(NO_LABELS, (count += 1))
    let isOver = false
    const ended = (isWhole: boolean): void => {
      if (isOver) return
      isOver = true
      underWay.set(NO_LABELS, (count -= 1))
      const method = METHODS.has(request.method) ? request.method : 'other'
      const route = request.routeOptions.url ?? 'unmatched'
      const seconds = (clock.monotonic() - started) / 1000
      // It ends when its caller has seen enough, which is neither slow nor a failure.
      if (isEventStream(reply)) return streams.observe({ method, route }, seconds)
      const status = isWhole ? reply.raw.statusCode : ABORTED
      durations.observe({ method, route, status }, seconds)
    }
    // Not the onResponse hook: it stays silent when the caller goes away, and the gauge would only ever rise. Nor `finished` of
    // node:stream, whose many listeners cost more than everything else here. Each comes once at most.
    reply.raw.on('finish', () => ended(true))
    reply.raw.on('close', () => ended(false))
    done()
  })
}

function isEventStream(reply: Pick<FastifyReply, 'getHeader'>): boolean {
  return String(reply.getHeader('content-type')).startsWith('text/event-stream')
}
