import { z } from 'zod'

const name = z.string().regex(/^[A-Za-z]\w{0,63}$/, 'must begin with a letter and have letters, digits and _ alone, at most 64')
const column = z.string().min(1).max(128)
const expression = z.union([column, z.strictObject({ sql: z.string().min(1).max(4096) })])
const value = z.union([z.string(), z.number(), z.bigint(), z.boolean(), z.date()])
const values = z.array(value).min(1).max(1000)

/** What a condition may look like. */
export const conditionShape = z.union([
  value,
  values,
  z.null(),
  z.strictObject({
    eq: value.nullable().optional(),
    not: z.union([value, values, z.null()]).optional(),
    in: values.optional(),
    gt: value.optional(),
    gte: value.optional(),
    lt: value.optional(),
    lte: value.optional(),
    contains: z.string().optional(),
    startsWith: z.string().optional(),
  }),
])

const description = z.string().max(1000).optional()
const ofSource = { source: name, dimensions: z.array(name).optional(), where: z.record(name, conditionShape).optional(), description }

const metric = z.discriminatedUnion('measure', [
  z.strictObject({ ...ofSource, measure: z.literal('count') }),
  ...(['sum', 'min', 'max', 'avg', 'uniq', 'uniqExact'] as const).map((measure) => z.strictObject({ ...ofSource, measure: z.literal(measure), of: expression })),
  z.strictObject({
    ...ofSource,
    measure: z.literal('quantile'),
    of: expression,
    level: z.number().min(0).max(1),
    accuracy: z.number().gt(0).lt(1).optional(),
  }),
  z.strictObject({ measure: z.literal('ratio'), of: name, per: name, description }),
  z.strictObject({ measure: z.literal('formula'), formula: z.string().min(1).max(1000), description }),
])

/** The grains, from short to long. */
export const GRAINS = ['minute', 'fifteen_minutes', 'hour', 'day', 'week', 'month', 'quarter', 'year'] as const

const rollup = z.strictObject({
  source: name,
  grain: z.enum(GRAINS),
  timeZone: z.string().optional(),
  dimensions: z.array(name).optional(),
  metrics: z.array(name).min(1),
})

/** What a definition may look like, from code or from a file; references are checked afterwards. */
export const definitionShape = z.strictObject({
  sources: z.record(
    name,
    z.strictObject({
      table: z.string().regex(/^(?:[\w-]+\.)?[\w-]+$/, 'must be table or database.table'),
      time: column,
      timeType: z.enum(['instant', 'date']).optional(),
      description,
    }),
  ),
  dimensions: z.record(name, z.strictObject({ source: name, of: expression.optional(), description })),
  metrics: z.record(name, metric),
  rollups: z.record(name, rollup).optional(),
})

/** A definition of the right shape. */
export type ShapedDefinition = z.infer<typeof definitionShape>
