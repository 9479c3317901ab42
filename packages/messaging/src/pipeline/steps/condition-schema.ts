import { z } from 'zod'

/** A value that a condition compares with, or a step puts in: numbers that need all their digits are written as text. */
export type PlainValue = string | number | boolean

/** What an event is asked: one comparison of a field, or several taken together. A comparison with null is never true; ask `isNull`. */
export interface Condition {
  /** True when each of them is. */
  all?: readonly Condition[] | undefined
  /** True when one of them is. */
  any?: readonly Condition[] | undefined
  /** True when it is not. */
  not?: Condition | undefined
  /** The field that the one comparison beside it is about. */
  field?: string | undefined
  equals?: PlainValue | undefined
  notEquals?: PlainValue | undefined
  less?: PlainValue | undefined
  atMost?: PlainValue | undefined
  greater?: PlainValue | undefined
  atLeast?: PlainValue | undefined
  oneOf?: readonly PlainValue[] | undefined
  isNull?: boolean | undefined
  startsWith?: string | undefined
  endsWith?: string | undefined
  contains?: string | undefined
}

/** The comparisons of a field, in the order of the documentation. */
export const COMPARISONS = ['equals', 'notEquals', 'less', 'atMost', 'greater', 'atLeast', 'oneOf', 'isNull', 'startsWith', 'endsWith', 'contains'] as const

/** Names of fields, of an event and of a table. */
export const identifier = z.string().regex(/^(?!__proto__$)[a-z_][a-z0-9_]{0,47}$/, 'must be lower-case letters, digits and _, begin with a letter or _, and have at most 48 characters')

/** A value that a condition compares with. */
export const plainValue = z.union([z.string().max(10_000), z.number(), z.boolean()])
const shortText = z.string().min(1).max(1000)
const COMBINATIONS = ['all', 'any', 'not'] as const

const FORM = 'must be one of all, any and not, or a field with one comparison'

/** A condition as it stands in a pipelines file. */
export const conditionSchema: z.ZodType<Condition> = z
  .strictObject({
    get all() {
      return z.array(conditionSchema).min(1).max(100).optional()
    },
    get any() {
      return z.array(conditionSchema).min(1).max(100).optional()
    },
    get not() {
      return conditionSchema.optional()
    },
    field: identifier.optional(),
    equals: plainValue.optional(),
    notEquals: plainValue.optional(),
    less: plainValue.optional(),
    atMost: plainValue.optional(),
    greater: plainValue.optional(),
    atLeast: plainValue.optional(),
    oneOf: z.array(plainValue).min(1).max(10_000).optional(),
    isNull: z.boolean().optional(),
    startsWith: shortText.optional(),
    endsWith: shortText.optional(),
    contains: shortText.optional(),
  })
  .refine((condition) => hasOneForm(Object.keys(condition)), FORM)
  .meta({
    // The same rule for editors: JSON Schema doesn't know refinements.
    oneOf: [
      ...COMBINATIONS.map((name) => ({ required: [name], maxProperties: 1 })),
      { required: ['field'], minProperties: 2, maxProperties: 2, properties: { all: false, any: false, not: false } },
    ],
  })

function hasOneForm(keys: readonly string[]): boolean {
  if (keys.length === 1) return COMBINATIONS.some((name) => name === keys[0])
  return keys.length === 2 && keys.includes('field') && COMPARISONS.some((name) => keys.includes(name))
}
