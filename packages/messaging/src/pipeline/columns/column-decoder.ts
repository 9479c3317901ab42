import type { ColumnBatch, ColumnLayout, ColumnValues } from '@smart-whale/interfaces'
import type { RecordBatch, ValuePlace } from '../../transport.ts'
import type { IngestRow } from '../event-types.ts'
import { type FieldType, parseFieldType } from '../field-type.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import type { UndeclaredField } from '../read-event.ts'
import { ColumnBuilder, type ColumnShape } from './column-builder.ts'
import { ColumnPool } from './column-pool.ts'
import { JsonScanner } from './json-scanner.ts'
import { SHAPE } from './value-shapes.ts'
import { type FoundValue, isReadFromBytes, readValue, USUAL_TEXT_LENGTHS } from './read-bytes.ts'
import { appendValue } from './append-value.ts'

/** Columns of the rows of one batch, as far as its events are plain or were decoded by somebody else. */
export interface ColumnsDecoder {
  /** Begins anew. What was collected before stays valid until `done`. */
  begin(): void
  /** Adds the row of an event's bytes. False, and nothing is added, when the event is not plain. */
  addEvent(value: ValuePlace, batch: RecordBatch): boolean
  /** Whether the event that was not added last is surely no JSON: nobody has to look at it again. */
  readonly isNoJson: boolean
  /** Adds a row that was decoded another way. */
  addRow(row: IngestRow, batch: RecordBatch): void
  /** What was collected since `begin`. */
  collected(): ColumnBatch
  /** Nobody looks at the oldest of what was collected any more. */
  done(): void
}

const LAYOUTS: Readonly<Record<Exclude<FieldType['kind'], 'decimal'>, ColumnLayout>> = {
  string: 'text',
  int32: 'int32',
  int64: 'int64',
  float64: 'float64',
  boolean: 'boolean',
  timestamp: 'milliseconds',
  date: 'days',
  uuid: 'uuid',
  json: 'text',
}
/** Kinds whose text is the event's id as it is. */
const ID_KINDS: readonly string[] = ['string', 'uuid', 'int32', 'int64']

/**
 * Compiles a definition into columns; null for one whose rows are more than the fields of their events, or that has a type for which
 * there are rows alone.
 */
export function columnsDecoder(definition: PipelineDefinition, onUndeclared: UndeclaredField | null, pool: ColumnPool = new ColumnPool()): ColumnsDecoder | null {
  const { versions, versionFrom, transform, route, columns, id } = definition
  const [version] = versions
  if (version === undefined || versionFrom !== null || transform !== null || route !== null || Object.keys(version.rename).length > 0) return null
  const types = Object.entries(columns).map(([name, text]) => ({ name, type: parseFieldType(text) }))
  const idType = id === null ? null : (types.find(({ name }) => name === id)?.type ?? null)
  // What is declared narrower than its column is read by its own type.
  if (!types.every(({ type }) => isReadFromBytes(type)) || Object.entries(columns).some(([name, text]) => version.fields[name] !== text)) return null
  if (idType !== null && (idType.nullable || !ID_KINDS.includes(idType.kind))) return null
  return new PlainColumns(types, id === null ? -1 : types.findIndex(({ name }) => name === id), onUndeclared, pool)
}

function shapeOf(name: string, { kind, nullable, precision, scale }: FieldType): ColumnShape {
  const layout = kind === 'decimal' ? (precision <= 9 ? 'decimal32' : 'decimal64') : LAYOUTS[kind]
  return { name, layout, nullable, precision, scale }
}

const origin = (name: string, layout: ColumnLayout): ColumnShape => ({ name, layout, nullable: false, precision: 0, scale: 0 })
const ORIGIN = [origin('event_id', 'text'), origin('source_offset', 'int64')] as const

function constant(shape: ColumnShape, write: (column: ColumnBuilder) => void): ColumnValues {
  const column = new ColumnBuilder(shape)
  write(column)
  return { ...column.values(), isConstant: true }
}

class PlainColumns implements ColumnsDecoder {
  isNoJson = false
  readonly #shapes: readonly ColumnShape[]
  readonly #types: readonly FieldType[]
  readonly #idField: number
  readonly #scanner: JsonScanner
  readonly #onUndeclared: UndeclaredField | null
  readonly #found: { -readonly [K in keyof FoundValue]: FoundValue[K] } = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)), shape: 0, start: 0, end: 0, isClean: false }
  /** Of the ids of events that have none: their partition. */
  #prefix = ''
  /** Columns that are the same in every row of a batch. */
  #constants: readonly ColumnValues[] = []
  #builders: readonly ColumnBuilder[] = []
  readonly #pool: ColumnPool
  /** Of the slices that were collected and are still looked at, the oldest first. */
  readonly #collected: (readonly ColumnBuilder[])[] = []

  constructor(fields: readonly { readonly name: string; readonly type: FieldType }[], idField: number, onUndeclared: UndeclaredField | null, pool: ColumnPool) {
    this.#pool = pool
    this.#shapes = [...fields.map(({ name, type }) => shapeOf(name, type)), ...ORIGIN]
    this.#types = fields.map(({ type }) => type)
    this.#idField = idField
    this.#scanner = new JsonScanner(fields.map(({ name, type }) => ({ name, textLengths: USUAL_TEXT_LENGTHS[type.kind] ?? [] })))
    this.#onUndeclared = onUndeclared
  }

  begin(): void {
    // Those of a slice that was never collected are begun anew.
    if (this.#builders.length === 0) this.#builders = this.#pool.take(this.#shapes)
    for (const builder of this.#builders) builder.clear()
    this.#constants = []
  }

  addEvent(value: ValuePlace, batch: RecordBatch): boolean {
    this.isNoJson = false
    if (Number.isNaN(value.offset)) return false
    if (!this.#scanner.scan(value)) {
      this.isNoJson = this.#scanner.isNoJson
      return false
    }
    const { shapes, starts, ends, clean } = this.#scanner
    const found = this.#found
    found.bytes = value.bytes
    found.view = this.#scanner.view
    const rows = (this.#builders[0] as ColumnBuilder).rows
    for (let index = 0; index < this.#types.length; index++) {
      const type = this.#types[index] as FieldType
      const column = this.#builders[index] as ColumnBuilder
      const shape = shapes[index] as number
      if (shape === SHAPE.absent || shape === SHAPE.nothing) {
        if (!type.nullable) return this.#backTo(rows, index)
        column.none()
        continue
      }
      found.shape = shape
      found.start = starts[index] as number
      found.end = ends[index] as number
      found.isClean = clean[index] === 1
      if (!readValue(type, found, column)) return this.#backTo(rows, index)
    }
    if (this.#constants.length === 0) this.#beginOrigin(batch)
    this.#addOrigin(value.offset)
    if (this.#onUndeclared !== null && this.#scanner.undeclaredCount > 0) this.#tellUndeclared(value.bytes, this.#onUndeclared)
    return true
  }

  addRow(row: IngestRow, batch: RecordBatch): void {
    if (this.#constants.length === 0) this.#beginOrigin(batch)
    this.#shapes.forEach((shape, index) => appendValue(this.#builders[index] as ColumnBuilder, row[shape.name]))
  }

  collected(): ColumnBatch {
    const builders = this.#builders
    this.#collected.push(builders)
    this.#builders = []
    return { rows: builders[0]?.rows ?? 0, columns: [...builders.map((builder) => builder.values()), ...this.#constants] }
  }

  done(): void {
    const oldest = this.#collected.shift()
    if (oldest !== undefined) this.#pool.giveBack(oldest)
  }

  /** A slice is of one topic and partition. */
  #beginOrigin({ topic, partition }: RecordBatch): void {
    this.#prefix = `${partition}-`
    this.#constants = [constant(origin('source_topic', 'text'), (column) => column.text(topic)), constant(origin('source_partition', 'int32'), (column) => column.int32(partition))]
  }

  /** Takes back the values of a row of which the first columns have one. */
  #backTo(rows: number, columns: number): false {
    for (let index = 0; index < columns; index++) (this.#builders[index] as ColumnBuilder).backTo(rows)
    return false
  }

  #addOrigin(offset: number): void {
    const at = this.#types.length
    this.#addEventId(this.#builders[at] as ColumnBuilder, offset)
    ;(this.#builders[at + 1] as ColumnBuilder).safeInt64(offset)
  }

  /** The id as the event has it: a plain integer is written as its digits are, and so is a text. */
  #addEventId(column: ColumnBuilder, offset: number): void {
    if (this.#idField < 0) {
      column.text(`${this.#prefix}${offset}`)
      return
    }
    const start = this.#scanner.starts[this.#idField] as number
    const end = this.#scanner.ends[this.#idField] as number
    if (this.#shapes[this.#idField]?.layout === 'uuid') column.uuidText(this.#scanner.view, start)
    else column.textBytes(this.#scanner.view, start, end)
  }

  #tellUndeclared(bytes: Uint8Array, tell: UndeclaredField): void {
    const { undeclared, undeclaredCount } = this.#scanner
    const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let index = 0; index < undeclaredCount; index++) tell(value.utf8Slice(undeclared[2 * index], undeclared[2 * index + 1]))
  }
}
