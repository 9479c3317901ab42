import { z } from 'zod'
import { conditionSchema, identifier, plainValue } from './condition-schema.ts'

/** A field type in a pipelines file. Whether a decimal's digits make sense is checked when the file is loaded. */
export const fieldTypeText = z
  .string()
  .regex(/^(?:string|int32|int64|float64|boolean|timestamp|date|uuid|json|decimal\([0-9]{1,2},[0-9]{1,2}\))\??$/, 'is not a field type; use string, int32, int64, float64, decimal(p,s), boolean, timestamp, date, uuid or json, with "?" behind it where null is allowed')

const fieldList = z.array(identifier).min(1).max(1000)
const fieldMap = <T extends z.ZodType>(value: T) => z.record(identifier, value)
/** A field by its name, or a constant as `{ "value": "1.25" }`. */
const operand = z.union([identifier, z.strictObject({ value: z.union([z.string().max(100), z.number()]) })])

/** Every step of a declarative transform; one of these names is the one key of a step. */
const STEPS = {
  rename: fieldMap(identifier),
  copy: fieldMap(identifier),
  remove: fieldList,
  constant: z.strictObject({ into: identifier, value: plainValue, type: fieldTypeText }),
  default: fieldMap(plainValue),
  cast: fieldMap(fieldTypeText),
  trim: fieldList,
  lower: fieldList,
  upper: fieldList,
  calculate: z.strictObject({ into: identifier, left: operand, operator: z.enum(['+', '-', '*', '/']), right: operand, type: fieldTypeText }),
  truncateTime: z.strictObject({ field: identifier, to: z.enum(['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']), into: identifier.optional() }),
  mask: z.strictObject({ field: identifier, keepLast: z.int().min(0).max(1000).optional(), with: z.string().min(1).max(1).optional() }),
  hash: z.strictObject({ field: identifier, key: z.string().min(1).max(200), into: identifier.optional() }),
  keep: conditionSchema,
  drop: conditionSchema,
  split: z.strictObject({ field: identifier, by: z.string().min(1).max(100), into: z.array(identifier).min(1).max(100) }),
  join: z.strictObject({ fields: fieldList, with: z.string().max(100), into: identifier }),
  coalesce: z.strictObject({ fields: fieldList, into: identifier }),
  lookup: z.strictObject({ field: identifier, table: z.record(z.string(), z.string().max(10_000)), into: identifier, otherwise: z.string().max(10_000).nullable().optional() }),
} as const

/** Names of the steps that a declarative transform may have. */
export const STEP_NAMES = Object.keys(STEPS) as readonly StepName[]

/** One of the steps' names. */
export type StepName = keyof typeof STEPS

/** What stands behind a step's name. */
export type StepSettings<N extends StepName> = z.output<(typeof STEPS)[N]>

/** One step: an object whose only key is the step's name. */
export type TransformStep = { readonly [N in StepName]: Readonly<Record<N, z.input<(typeof STEPS)[N]>>> }[StepName]

const ONE_STEP = `must have exactly one key, the step's name: ${Object.keys(STEPS).join(', ')}`

/** One step as it stands in a pipelines file. */
export const stepSchema = z
  .strictObject(STEPS)
  .partial()
  .refine((step) => Object.keys(step).length === 1, ONE_STEP)
  .meta({ minProperties: 1, maxProperties: 1 })

/** A declarative transform: at most this many steps. */
export const stepsSchema = z.array(stepSchema).max(100)
