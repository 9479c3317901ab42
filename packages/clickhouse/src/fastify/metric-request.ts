import { z } from 'zod'
import { questionRefusal, shape } from '../metrics/compile/question-shape.ts'

/** What a request asks of metrics; the question itself is checked by the layer. */
export interface MetricRequest {
  readonly question: Readonly<Record<string, unknown>>
  readonly options: { readonly cache?: boolean | undefined; readonly ttlSeconds?: number | undefined; readonly timeoutMs?: number | undefined }
}

const bounds = z.strictObject({
  cache: z.boolean().optional(),
  ttlSeconds: z.int().min(1).max(86_400).optional(),
  timeoutMs: z.int().min(1).max(60_000).optional(),
})

/** A body of `POST /analytics/metrics`: the question, and `options` beside it. @throws ValidationError that names each wrong field */
export function readMetricBody(body: unknown): MetricRequest {
  const { options, ...question } = shape(z.looseObject({ options: bounds.optional() }), body)
  return { question, options: options ?? {} }
}

const flag = z.enum(['true', 'false']).transform((text) => text === 'true')
const number = z.string().regex(/^\d{1,9}$/, 'must be a whole number').transform(Number)
const names = z.string().transform((text) => text.split(',').map((name) => name.trim()))

const parameters = z.strictObject({
  period: z.string().optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  grain: z.string().optional(),
  timeZone: z.string().optional(),
  by: names.optional(),
  where: z.string().optional(),
  top: number.optional(),
  topBy: z.string().optional(),
  other: flag.optional(),
  compare: z.string().optional(),
  fillGaps: flag.optional(),
  totals: flag.optional(),
  limit: number.optional(),
  route: z.string().optional(),
  cache: flag.optional(),
})

/** The query string of `GET /analytics/metrics/:name`. @throws ValidationError that names each wrong parameter */
export function readMetricParameters(name: string, query: unknown): MetricRequest {
  const { top, topBy, other, where, cache, ...rest } = shape(parameters, query)
  if (top === undefined && (topBy !== undefined || other !== undefined)) throw questionRefusal([{ path: ['top'], message: 'must say how many groups, where topBy or other are given' }])
  return {
    question: {
      metrics: name.split(','),
      ...rest,
      ...(top === undefined ? {} : { top: { n: top, by: topBy, other } }),
      ...(where === undefined ? {} : { where: readWhere(where) }),
    },
    options: { cache },
  }
}

function readWhere(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw questionRefusal([{ path: ['where'], message: 'must be JSON, such as {"country":"NO"}' }])
  }
}
