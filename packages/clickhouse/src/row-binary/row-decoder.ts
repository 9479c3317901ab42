import type { Row } from '@smart-whale/interfaces'
import type { ColumnDescription } from '../adapter-options.ts'
import { DataTypeError } from '../errors.ts'
import { RecentTexts } from '../recent-texts.ts'
import { ByteReader, UNDERFLOW } from './byte-reader.ts'
import { cellDecoder } from './cell-decoder.ts'
import type { CellDecoder } from './cell-decoder-port.ts'
import { parseColumnType } from './column-type.ts'

/** Reads `RowBinaryWithNamesAndTypes` as it arrives, chunk by chunk; a row that is cut by a chunk's end waits for the next one. */
export class RowDecoder<T extends Row = Row> {
  readonly #reader = new ByteReader()
  #columns: readonly ColumnDescription[] | null = null
  #hasPrototypeName = false
  #cells: readonly { name: string; decode: CellDecoder }[] = []

  /** Known once the header has arrived; null until then. */
  get columns(): readonly ColumnDescription[] | null {
    return this.#columns
  }

  /** Bytes that are not part of a whole row yet. */
  get pendingBytes(): number {
    return this.#reader.left
  }

  /** Rows that are whole now. @throws DataTypeError for a column whose type has no decoder here */
  push(chunk: Uint8Array): T[] {
    this.#reader.append(chunk)
    const rows: T[] = []
    if (this.#columns === null && !this.#readHeader()) return rows
    while (this.#reader.left > 0) {
      const row = this.#whole(() => this.#readRow())
      if (row === null) break
      rows.push(row)
    }
    return rows
  }

  #readRow(): T {
    // A column that is called so must not become what the row inherits from.
    if (this.#hasPrototypeName) return Object.fromEntries(this.#cells.map(({ name, decode }) => [name, decode(this.#reader)])) as T
    const row: Row = {}
    for (const { name, decode } of this.#cells) row[name] = decode(this.#reader)
    return row as T
  }

  #readHeader(): boolean {
    const columns = this.#whole(() => {
      const names: string[] = []
      for (let left = this.#reader.varint(); left > 0; left--) names.push(this.#reader.string())
      return names.map((name) => ({ name, type: this.#reader.string() }))
    })
    if (columns === null) return false
    this.#columns = columns
    this.#hasPrototypeName = columns.some(({ name }) => name === '__proto__')
    this.#cells = columns.map(({ name, type }) => ({ name, decode: decoderOf(name, type) }))
    return true
  }

  #whole<R>(read: () => R): R | null {
    const start = this.#reader.at
    try {
      return read()
    } catch (error) {
      if (error !== UNDERFLOW) throw error
      this.#reader.at = start
      return null
    }
  }
}

/** Decoders hold no state: those of the latest types are kept, for short answers take less time than to make them. */
const remembered = new RecentTexts<CellDecoder>(1024 * 1024)

function decoderOf(name: string, type: string): CellDecoder {
  const known = remembered.get(type)
  if (known !== undefined) return known
  const decode = cellDecoder(parseColumnType(type))
  if (decode === null) throw undecodable(name, type)
  remembered.add(type, decode)
  return decode
}

function undecodable(name: string, type: string): DataTypeError {
  const remedy = type.includes('AggregateFunction(') ? `for example with finalizeAggregation(${name}), or its bytes with CAST(${name} AS String)` : `for example with toString(${name})`
  return new DataTypeError(`column "${name}" has the type ${type}, which is not read in binary; convert it in the query, ${remedy}`, {
    issues: [{ path: [name], message: `has the type ${type}` }],
  })
}
