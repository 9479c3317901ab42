import { z } from 'zod'
import { ConfigurationError } from '@smart-whale/interfaces'
import { isFieldType } from './field-type.ts'

/** Which stores a pipeline writes to. */
export type PipelineSink = 'clickhouse' | 'timescaledb'

/** When a slice is cut: whichever bound is reached first. */
export interface SliceLimits {
  /** Most records of one slice. @default 20000 */
  maxRows: number
  /** Most bytes of message values in one slice; a larger single message is a slice of its own. @default 8388608 */
  maxBytes: number
  /** How long a record may wait for others. @default 250 */
  maxAgeMs: number
}

/** One stream: a topic, what its events look like, and where they go. */
export interface PipelineDefinition {
  /** Names the pipeline in the ledger, logs and metrics; renaming it starts over. */
  readonly name: string
  readonly topic: string
  /** Field name to type, in column order; see {@link isFieldType}. Fields that an event has beyond these are left out. */
  readonly fields: Readonly<Record<string, string>>
  /** The `timestamp` field that time-series queries go by. */
  readonly time: string
  /** The field that identifies an event; without it, the event's position in the topic does. */
  readonly id: string | null
  /** The field whose value decides the partition, so that its events stay in order. */
  readonly key: string | null
  /** Table of that name in each store. */
  readonly table: string
  readonly sinks: readonly PipelineSink[]
  /** Partitions of the topic when it is made. */
  readonly partitions: number
  readonly limits: SliceLimits
}

const identifier = z.string().regex(/^[a-z_][a-z0-9_]{0,47}$/, 'must be lower-case letters, digits and _, begin with a letter, and have at most 48 characters')

const definitionSchema = z
  .strictObject({
    topic: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/, 'must be a topic name: letters, digits, ".", "_" and "-"'),
    name: z.string().min(1).max(200).optional(),
    table: identifier.optional(),
    fields: z.record(identifier, z.string().refine(isFieldType, 'is not a field type; use string, int32, int64, float64, decimal(p,s), boolean, timestamp, date, uuid or json, with "?" behind it where null is allowed')),
    time: identifier,
    id: identifier.optional(),
    key: identifier.optional(),
    sinks: z.array(z.enum(['clickhouse', 'timescaledb'])).min(1).optional(),
    partitions: z.int().min(1).max(1000).optional(),
    limits: z.strictObject({ maxRows: z.int().min(1).max(1_000_000), maxBytes: z.int().min(1024).max(268_435_456), maxAgeMs: z.int().min(1).max(60_000) }).partial().optional(),
  })
  .superRefine((definition, context) => {
    if (Object.keys(definition.fields).length === 0) context.addIssue({ code: 'custom', path: ['fields'], message: 'must name at least one field' })
    for (const reserved of RESERVED_COLUMNS)
      if (reserved in definition.fields) context.addIssue({ code: 'custom', path: ['fields', reserved], message: 'is a column that the pipeline itself writes; choose another name' })
    if (definition.fields[definition.time] !== 'timestamp') context.addIssue({ code: 'custom', path: ['time'], message: 'must name a field of type timestamp' })
    for (const role of ['id', 'key'] as const) {
      const field = definition[role]
      if (field !== undefined && !(field in definition.fields)) context.addIssue({ code: 'custom', path: [role], message: `names "${field}", which is not among the fields` })
    }
    const table = definition.table ?? definition.topic
    if (!identifier.safeParse(table).success) context.addIssue({ code: 'custom', path: ['table'], message: `must be given, since the topic name "${definition.topic}" can't be a table name` })
  })

/** Columns of every table of the ingest path: where a row came from. */
export const RESERVED_COLUMNS = ['event_id', 'source_topic', 'source_partition', 'source_offset'] as const

/** What a pipelines file holds: defaults may be left out. */
export type PipelineInput = z.input<typeof definitionSchema>

/**
 * Reads the declarations of a pipelines file.
 * @throws ConfigurationError naming the pipeline and field that is wrong
 */
export function definePipelines(input: unknown): readonly PipelineDefinition[] {
  if (!Array.isArray(input)) throw new ConfigurationError('a pipelines file must hold an array of pipelines, each with topic, fields and time')
  const definitions = input.map((entry, index) => defineOne(entry, index))
  for (const property of ['name', 'topic', 'table'] as const) refuseTwice(definitions, property)
  return definitions
}

function defineOne(entry: unknown, index: number): PipelineDefinition {
  const result = definitionSchema.safeParse(entry)
  if (!result.success) {
    const issues = result.error.issues.map((issue) => `pipelines[${index}]${issue.path.map((part) => `.${String(part)}`).join('')}: ${issue.message}`)
    throw new ConfigurationError(`the pipelines file is wrong: ${issues.join('; ')}`)
  }
  const given = result.data
  return {
    name: given.name ?? given.topic,
    topic: given.topic,
    fields: given.fields,
    time: given.time,
    id: given.id ?? null,
    key: given.key ?? given.id ?? null,
    table: given.table ?? given.topic,
    sinks: given.sinks ?? ['clickhouse', 'timescaledb'],
    partitions: given.partitions ?? 4,
    limits: { maxRows: 20_000, maxBytes: 8 * 1024 * 1024, maxAgeMs: 250, ...given.limits } as SliceLimits,
  }
}

function refuseTwice(definitions: readonly PipelineDefinition[], property: 'name' | 'topic' | 'table'): void {
  const seen = new Set<string>()
  for (const definition of definitions) {
    if (seen.has(definition[property])) throw new ConfigurationError(`two pipelines have the ${property} "${definition[property]}"; each needs its own`)
    seen.add(definition[property])
  }
}
