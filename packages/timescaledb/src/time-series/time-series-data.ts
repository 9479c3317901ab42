import type { JsonValue } from '@smart-whale/interfaces'
import { z } from 'zod'
import { TimescaleValidationError } from '../errors.ts'
import { readTime } from './parse-time.ts'

/** A text that PostgreSQL can hold. */
const storableText = z.string().refine((text) => !text.includes('\0'), 'must not hold zero bytes')

const jsonValue: z.ZodType<JsonValue> = z.lazy(() =>
  z.union([storableText, z.number(), z.boolean(), z.null(), z.array(jsonValue), z.record(storableText, jsonValue)]),
)

/** One point of a series, as {@link TimeSeriesData.parse} takes it. */
export const timeSeriesDataSchema = z.strictObject({
  id: storableText.min(1).max(1000),
  timestamp: z.union([z.date(), z.string(), z.number()]).transform((input, context) => {
    const time = readTime(input)
    if (time) return time
    context.addIssue({ code: 'custom', message: 'must be a Date, an ISO 8601 time with at most milliseconds, or milliseconds since the epoch' })
    return z.NEVER
  }),
  value: z.number().nullable(),
  metadata: z.record(storableText, jsonValue).default({}),
})

/** A value of a series at a moment, with what else is known of it. Immutable. */
export class TimeSeriesData {
  readonly id: string
  readonly value: number | null
  readonly metadata: Readonly<Record<string, JsonValue>>
  readonly #timestampMs: number

  private constructor(data: z.output<typeof timeSeriesDataSchema>) {
    this.id = data.id
    this.value = data.value
    this.metadata = freezeDeeply(data.metadata)
    this.#timestampMs = data.timestamp.getTime()
    Object.freeze(this)
  }

  /** @throws TimescaleValidationError naming each wrong field */
  static parse(input: z.input<typeof timeSeriesDataSchema>, path: readonly (string | number)[] = []): TimeSeriesData {
    return new TimeSeriesData(parseOr(timeSeriesDataSchema, input, { what: 'the point', path }))
  }

  /** The moment, as a `Date` of its own. */
  get timestamp(): Date {
    return new Date(this.#timestampMs)
  }

  toJSON(): { id: string; timestamp: string; value: number | null; metadata: Readonly<Record<string, JsonValue>> } {
    return { id: this.id, timestamp: this.timestamp.toISOString(), value: this.value, metadata: this.metadata }
  }
}

/** The output of a schema, or one error that names every wrong field. */
export function parseOr<T>(schema: z.ZodType<T>, input: unknown, { what, path }: { what: string; path: readonly (string | number)[] }): T {
  const outcome = schema.safeParse(input)
  if (outcome.success) return outcome.data
  const issues = outcome.error.issues.map((issue) => {
    const within = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
    return { path: [...path, ...within], message: issue.message }
  })
  const sentence = issues.map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`).join('; ')
  throw new TimescaleValidationError(`${what} is wrong: ${sentence}`, { issues })
}

function freezeDeeply<V>(value: V): V {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) freezeDeeply(part)
  return Object.freeze(value)
}
