import type { ComparedColumn, StoredRow } from '@smart-whale/interfaces'
import type { IngestRow, PipelineSink } from '../event-types.ts'
import { parseFieldType } from '../field-type.ts'
import { type PipelineDefinition, RESERVED_COLUMNS } from '../pipeline-definition.ts'
import type { ExpectedRange } from './expected-range.ts'
import type { FindingGatherer } from './gather-findings.ts'

/** The columns of a pipeline's tables that events fill. */
export function comparedColumns({ columns }: PipelineDefinition): readonly ComparedColumn[] {
  const own = Object.entries(columns).map(([name, text]) => ({ name, kind: parseFieldType(text).kind }))
  return [...own, { name: RESERVED_COLUMNS[0], kind: 'string' as const }]
}

/** Compares the content of stored rows with what the pipeline makes of their events; names the first column that differs, never a value. */
export function compareContent(expected: ExpectedRange, columns: readonly ComparedColumn[], sink: PipelineSink, rows: readonly StoredRow[], findings: FindingGatherer): void {
  for (const { offset, values } of rows) {
    const wanted = expected.rowOf(offset)
    if (wanted === undefined || !expected.belongsTo(offset, sink)) continue
    const wrong = columns.find((column, index) => !isSame(column, wanted, values[index] ?? null))
    if (wrong !== undefined) findings.add({ kind: 'different', place: sink, offset, detail: `column "${wrong.name}"` })
  }
}

function isSame({ name, kind }: ComparedColumn, wanted: IngestRow, found: string | null): boolean {
  const value = wanted[name] ?? null
  if (value === null || found === null) return value === found
  return plainText(kind, value instanceof Date ? String(value.getTime()) : String(value)) === plainText(kind, found)
}

/** One text for each value, however a store writes it. */
function plainText(kind: ComparedColumn['kind'], text: string): string {
  switch (kind) {
    case 'float64':
      return String(Number(text))
    case 'decimal':
      return text.includes('.') ? text.replace(/\.?0+$/, '') : text
    case 'uuid':
      return text.toLowerCase()
    case 'json':
      return sortedJson(text)
    default:
      return text
  }
}

/** PostgreSQL orders the members of an object and prints numbers its own way: compared is what JavaScript reads. */
function sortedJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text, (_key, value: unknown) => (isPlainObject(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value)))
  } catch {
    return text
  }
}

const isPlainObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
