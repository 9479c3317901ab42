import { z } from 'zod'
import { conditionSchema, identifier, plainValue } from './steps/condition-schema.ts'
import { fieldTypeText, stepsSchema } from './steps/step-schema.ts'

/** A field's name as producers write it; whatever becomes a column is given a column's name by `rename`. */
const eventField = z.string().regex(/^(?!__proto__$)[^\u0000-\u001f]{1,200}$/, 'must have 1 to 200 printable characters')
const sink = z.enum(['clickhouse', 'timescaledb'])
const sinkList = z.array(sink).max(2)
const eventFields = z.record(eventField, fieldTypeText)
const renames = z.record(eventField, identifier)
const versionName = z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'must have 1 to 100 letters, digits, ".", "_" or "-"')

const versionSchema = z.strictObject({
  fields: eventFields,
  rename: renames.optional(),
  defaults: z.record(identifier, plainValue).optional(),
  transform: stepsSchema.optional(),
})

const routeSchema = z.array(z.strictObject({ when: conditionSchema.optional(), sinks: sinkList })).min(1).max(100)

/** One pipeline as a JSON file may declare it; what a module adds, functions, is taken out before. What the parts have to do with each other is checked behind it. */
export const pipelineSchema = z.strictObject({
  topic: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/, 'must be a topic name: letters, digits, ".", "_" and "-"'),
  name: z.string().min(1).max(200).optional(),
  table: identifier.optional(),
  tables: z.strictObject({ clickhouse: identifier.optional(), timescaledb: identifier.optional() }).optional(),
  fields: eventFields.optional(),
  rename: renames.optional(),
  versions: z.record(versionName, versionSchema).optional(),
  versionFrom: z
    .strictObject({ header: z.string().min(1).max(200).optional(), field: eventField.optional(), absent: versionName.optional() })
    .refine(({ header, field }) => header === undefined || field === undefined, 'must be a header or a field, not both')
    .meta({ not: { required: ['header', 'field'] } })
    .optional(),
  transform: stepsSchema.optional(),
  columns: z.record(identifier, fieldTypeText).optional(),
  route: routeSchema.optional(),
  time: identifier,
  id: identifier.optional(),
  key: eventField.optional(),
  sinks: z.array(sink).min(1).max(2).optional(),
  partitions: z.int().min(1).max(1000).optional(),
  limits: z.strictObject({ maxRows: z.int().min(1).max(1_000_000), maxBytes: z.int().min(1024).max(268_435_456), maxAgeMs: z.int().min(1).max(60_000) }).partial().optional(),
  clickhouse: z
    .strictObject({ orderBy: z.array(identifier).min(1).max(20), partitionBy: z.enum(['none', 'day', 'week', 'month', 'year']), ttlDays: z.int().min(1).max(36_500) })
    .partial()
    .optional(),
})

/** A pipeline whose parts have the right form. */
export type DeclaredPipeline = z.output<typeof pipelineSchema>

/** A version of an event whose parts have the right form. */
export type DeclaredVersion = z.output<typeof versionSchema>

/** The rules of a declarative route. */
export type RouteRules = z.output<typeof routeSchema>

/**
 * JSON Schema of a pipelines file, for editors and for checks elsewhere. It knows the form of everything; that names refer to
 * something, and that types fit each other, is known by `definePipelines` alone.
 */
export function pipelinesJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(z.array(pipelineSchema), { io: 'input' }), title: 'Smart Whale pipelines' }
}
