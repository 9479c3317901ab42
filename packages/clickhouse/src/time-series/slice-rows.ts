import { createHash } from 'node:crypto'
import { type Row, toWire, ValidationError } from '@smart-whale/interfaces'
import { type Microseconds, textOfMoment } from './moments.ts'
import { MOMENT } from './source-dialect.ts'
import type { TimeSeriesMapping, TimeSeriesRow } from './time-series-options.ts'

/** A row on its way: as the target takes it, and as a line that is equal for equal rows. */
export interface SliceRow {
  readonly moment: Microseconds
  readonly line: string
  readonly row: TimeSeriesRow
}


/** The same line, made by ClickHouse of a row of the target. */
export const LINE_IN_CLICKHOUSE = "concat(toString(toUnixTimestamp64Micro(timestamp)), '\\t', if(isNull(value), 'N', toString(reinterpretAsUInt64(assumeNotNull(value)))), '\\t', metadata)"

/** Puts rows of the source into the target's form. */
export class RowMapper {
  readonly #timestamp: string
  readonly #value: string
  readonly #metadata: readonly string[] | undefined

  constructor({ timestamp = 'timestamp', value = 'value', metadata }: TimeSeriesMapping) {
    this.#timestamp = timestamp
    this.#value = value
    this.#metadata = metadata
  }

  map(source: Row): SliceRow {
    const moment = BigInt(String(source[MOMENT]))
    const value = this.#numberOf(source)
    const metadata = this.#metadataOf(source)
    return { moment, line: `${moment}\t${value === null ? 'N' : bitsOf(value)}\t${metadata}`, row: { timestamp: `${textOfMoment(moment).replace(' ', 'T')}Z`, value, metadata } }
  }

  #numberOf(source: Row): number | null {
    const found = this.#member(source, this.#value)
    if (found === null) return null
    const number = typeof found === 'string' && found.trim() === '' ? Number.NaN : Number(found)
    if (!Number.isNaN(number) || found === 'NaN' || Number.isNaN(found)) return number
    const message = `column "${this.#value}" must hold numbers, found ${typeof found}`
    throw new ValidationError(message, { issues: [{ path: ['mapping', 'value'], message }] })
  }

  #metadataOf(source: Row): string {
    const names = this.#metadata ?? Object.keys(source).filter((name) => name !== MOMENT && name !== this.#timestamp && name !== this.#value)
    if (names.length === 1 && names[0] === 'metadata') return textOf(this.#member(source, 'metadata'))
    return JSON.stringify(Object.fromEntries(names.map((name) => [name, toWire(this.#member(source, name))])))
  }

  #member(source: Row, name: string): unknown {
    if (Object.hasOwn(source, name)) return source[name]
    const message = `the source has no column "${name}"; its columns are ${Object.keys(source).filter((column) => column !== MOMENT).join(', ')}`
    throw new ValidationError(message, { issues: [{ path: ['mapping'], message }] })
  }
}

function textOf(metadata: unknown): string {
  if (metadata === null) return ''
  return typeof metadata === 'string' ? metadata : JSON.stringify(toWire(metadata))
}

const BITS = new DataView(new ArrayBuffer(8))

/** A number by its bits: no digit is lost, and there is one text for each. */
function bitsOf(value: number): string {
  BITS.setFloat64(0, value)
  return String(BITS.getBigUint64(0))
}

/** What the lines of a slice come to, in whatever order they are. */
export function checksumOfLines(lines: readonly string[]): string {
  const sorted = lines.map((line) => Buffer.from(line)).sort(Buffer.compare)
  const sum = createHash('sha256')
  for (const [index, line] of sorted.entries()) {
    if (index > 0) sum.update('\n')
    sum.update(line)
  }
  return sum.digest('hex')
}
