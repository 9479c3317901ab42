import { ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import { z } from 'zod'
import type { ClickHouseErrorCode } from '../../errors.ts'
import { conditionShape, GRAINS } from '../definition/definition-shape.ts'

const names = z.array(z.string().max(64)).max(20)
const point = z.union([z.date(), z.string().max(40)])
const filters = z
  .record(z.string(), conditionShape)
  .refine((where) => Object.keys(where).length <= 50, { message: 'must have at most 50 members' })
  .superRefine((where, context) => {
    for (const [name, condition] of Object.entries(where)) {
      if (holdsInexactInteger(condition))
        context.addIssue({ code: 'custom', path: [name], message: 'has a number beyond 2^53, which can not be told exactly; give a bigint, or text' })
    }
  })

/** The time of a question of any kind. */
export const timeShape = { period: z.string().max(40).optional(), from: point.optional(), to: point.optional(), timeZone: z.string().max(64).optional() }
/** Conditions of a question of any kind. */
export const filtersShape = filters

const questionShape = z.strictObject({
  ...timeShape,
  metrics: names.min(1),
  grain: z.enum(GRAINS).optional(),
  by: names.optional(),
  where: filters.optional(),
  top: z.strictObject({ n: z.int().min(1).max(1000), by: z.string().max(64).optional(), other: z.boolean().optional() }).optional(),
  compare: z.enum(['previous_period', 'previous_year']).optional(),
  fillGaps: z.boolean().optional(),
  totals: z.boolean().optional(),
  limit: z.int().min(1).max(100_000).optional(),
  route: z.enum(['auto', 'raw']).optional(),
})

/** A question of the right shape. */
export type ShapedQuestion = z.infer<typeof questionShape>

/** @throws ValidationError `ERR_CLICKHOUSE_METRIC_QUESTION` that names each wrong field */
export function shapeQuestion(question: unknown): ShapedQuestion {
  return shape(questionShape, question)
}

/** Reads a question of some shape. @throws ValidationError `ERR_CLICKHOUSE_METRIC_QUESTION` that names each wrong field */
export function shape<T>(wanted: z.ZodType<T>, question: unknown): T {
  const outcome = wanted.safeParse(question)
  if (outcome.success) return outcome.data
  throw questionRefusal(outcome.error.issues.flatMap(issuesOf))
}

/** What is wrong with a question. */
export function questionRefusal(issues: readonly ValidationIssue[]): ValidationError<ClickHouseErrorCode> {
  const sentence = issues.map(({ path, message }) => `${path.join('.') || 'the question'}: ${message}`).join('; ')
  return new ValidationError<ClickHouseErrorCode>(sentence, { code: 'ERR_CLICKHOUSE_METRIC_QUESTION', issues })
}

function issuesOf(issue: z.core.$ZodIssue): ValidationIssue[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
  return issue.keys.map((key) => ({ path: [...path, key], message: 'is not known here; leave it out' }))
}

/** A whole number that large has been rounded by whoever read it: another one was meant. */
function holdsInexactInteger(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsInexactInteger)
}
