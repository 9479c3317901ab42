import type { TableDefinition } from '@smart-whale/interfaces'
import { z } from 'zod'
import { quoteIdentifier } from '../quote-identifier.ts'
import { parseTimeInterval } from './time-interval.ts'
import { parseOr } from './time-series-data.ts'

const identifier = z.string().superRefine((name, context) => whenItThrows(() => quoteIdentifier(name), context))

/** Type texts go into DDL as they are, so only what types, `not null` and simple defaults are made of is let through. */
const columnType = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[a-z][\w\s(),[\].'"]*$/i, 'must be a PostgreSQL type such as "double precision not null"')

/** A table of time series, as {@link TableSchema.parse} takes it. */
export const tableSchemaSchema = z
  .strictObject({
    name: identifier,
    columns: z.record(identifier, columnType).refine((columns) => Object.keys(columns).length > 0, 'must name at least one column'),
    timeColumn: identifier,
    primaryKey: z.array(identifier).default([]),
    chunkInterval: z
      .string()
      .default('7 days')
      .superRefine((text, context) => whenItThrows(() => parseTimeInterval(text, 'chunkInterval'), context)),
  })
  .superRefine(({ columns, timeColumn, primaryKey }, context) => {
    const isColumn = (name: string) => Object.hasOwn(columns, name)
    if (!isColumn(timeColumn)) context.addIssue({ code: 'custom', path: ['timeColumn'], message: `must be one of the columns; ${timeColumn} is none` })
    else if (!/^(timestamptz|timestamp|date)\b/i.test(columns[timeColumn] ?? '')) {
      context.addIssue({ code: 'custom', path: ['columns', timeColumn], message: 'must be timestamptz, timestamp or date: it is the time column' })
    }
    for (const [index, name] of primaryKey.entries()) {
      if (!isColumn(name)) context.addIssue({ code: 'custom', path: ['primaryKey', index], message: `must be one of the columns; ${name} is none` })
    }
    if (primaryKey.length > 0 && !primaryKey.includes(timeColumn)) {
      context.addIssue({ code: 'custom', path: ['primaryKey'], message: `must contain the time column ${timeColumn}, or the table can't be partitioned by it` })
    }
  })

/** What a table of time series looks like: columns, time, key, length of its partitions. Immutable. */
export class TableSchema {
  readonly name: string
  readonly columns: Readonly<Record<string, string>>
  readonly timeColumn: string
  readonly primaryKey: readonly string[]
  readonly chunkInterval: string

  private constructor(schema: z.output<typeof tableSchemaSchema>) {
    this.name = schema.name
    this.columns = Object.freeze({ ...schema.columns })
    this.timeColumn = schema.timeColumn
    this.primaryKey = Object.freeze([...schema.primaryKey])
    this.chunkInterval = schema.chunkInterval
    Object.freeze(this)
  }

  /** @throws TimescaleValidationError naming each wrong field */
  static parse(input: z.input<typeof tableSchemaSchema>): TableSchema {
    return new TableSchema(parseOr(tableSchemaSchema, input, { what: 'the table schema', path: [] }))
  }

  /** As `createTable` of a storage takes it. */
  toDefinition(): TableDefinition {
    return { columns: this.columns, primaryKey: this.primaryKey }
  }
}

function whenItThrows(check: () => unknown, context: z.RefinementCtx): void {
  try {
    check()
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'is wrong' })
  }
}
