import type { ExportFormat } from './export-options.ts'

/** Looks at an answer's bytes as they pass, for whether there is a row in them. */
export interface RowDetector {
  push(chunk: Uint8Array): void
  /** Null as long as it can't be told yet; at the end it can. */
  hasRows(isOver: boolean): boolean | null
}

/** What a format says when there are no rows is not nothing: a header, a schema. */
export function rowDetectorOf(format: ExportFormat): RowDetector {
  if (format === 'csv') return new AfterHeaderLine()
  if (format === 'parquet') return new BetweenMarkAndFooter()
  return format === 'arrow' ? new AfterSchemaMessage() : new AnyByte()
}

/** JSONL: a row is a line, and there is nothing else. */
class AnyByte implements RowDetector {
  #bytes = 0
  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length
  }
  hasRows(isOver: boolean): boolean | null {
    return this.#bytes > 0 ? true : isOver ? false : null
  }
}

const QUOTE = 0x22
const LINE_FEED = 0x0a

/** CSV: rows come after the header, whose names may have line feeds within quotes. */
class AfterHeaderLine implements RowDetector {
  #isQuoted = false
  #headerIsOver = false
  #hasMore = false
  push(chunk: Uint8Array): void {
    if (this.#hasMore) return
    for (const byte of chunk) {
      if (this.#headerIsOver) {
        this.#hasMore = true
        return
      }
      if (byte === QUOTE) this.#isQuoted = !this.#isQuoted
      else if (byte === LINE_FEED && !this.#isQuoted) this.#headerIsOver = true
    }
  }
  hasRows(isOver: boolean): boolean | null {
    return this.#hasMore ? true : isOver ? false : null
  }
}

const PARQUET_MARK_BYTES = 4
const PARQUET_TAIL_BYTES = 8

/** Parquet: without rows the footer follows the mark that the file begins with; its length stands before the mark that the file ends with. */
class BetweenMarkAndFooter implements RowDetector {
  #bytes = 0
  #tail = Buffer.alloc(0)
  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-PARQUET_TAIL_BYTES)]).subarray(-PARQUET_TAIL_BYTES)
  }
  hasRows(isOver: boolean): boolean | null {
    if (!isOver) return null
    return this.#tail.length === PARQUET_TAIL_BYTES && this.#bytes > PARQUET_MARK_BYTES + this.#tail.readUInt32LE(0) + PARQUET_TAIL_BYTES
  }
}

const CONTINUATION = 0xffffffff
/** Before the schema stand the file's mark and its padding, in a file; nothing, in a stream. */
const ARROW_FILE_MARK = Buffer.from('ARROW1')
const ARROW_FILE_MARK_BYTES = 8
const MESSAGE_PREFIX_BYTES = 8

/** Arrow: behind the message with the schema comes one with rows, or one of no length that ends the rows. */
class AfterSchemaMessage implements RowDetector {
  #head = Buffer.alloc(0)
  #hasRows: boolean | null = null
  push(chunk: Uint8Array): void {
    if (this.#hasRows !== null) return
    this.#head = Buffer.concat([this.#head, chunk])
    this.#hasRows = this.#look(this.#head)
    if (this.#hasRows !== null) this.#head = Buffer.alloc(0)
  }
  hasRows(isOver: boolean): boolean | null {
    return this.#hasRows ?? (isOver ? false : null)
  }
  #look(head: Buffer): boolean | null {
    if (head.length < ARROW_FILE_MARK_BYTES + MESSAGE_PREFIX_BYTES) return null
    const schema = head.subarray(0, ARROW_FILE_MARK.length).equals(ARROW_FILE_MARK) ? ARROW_FILE_MARK_BYTES : 0
    const next = schema + MESSAGE_PREFIX_BYTES + head.readInt32LE(schema + 4)
    if (head.length < next + MESSAGE_PREFIX_BYTES) return null
    return head.readUInt32LE(next) === CONTINUATION && head.readInt32LE(next + 4) > 0
  }
}
