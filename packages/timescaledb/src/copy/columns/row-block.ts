/** Rows that are measured, and then written, together: as many as a processor keeps near while column after column goes over them. */
const BLOCK_BYTES = 128 * 1024
const MOST_ROWS = 2_048
/** Before each field stands its length, before each row the count of its fields. */
export const LENGTH_BYTES = 4
const COUNT_BYTES = 2
const NULL_LENGTH = -1
/** A longer text is copied faster by the runtime than by a loop here. */
const LONG_TEXT = 256

/** Some rows of a batch that follow each other, while their fields are put together column by column. */
export class RowBlock {
  /** The batch's first row of it. */
  first = 0
  rows = 0
  /** By row: first how many bytes it has, then where its next field goes. */
  readonly places: Int32Array
  view: DataView = new DataView(new ArrayBuffer(0))
  #buffer: Buffer = Buffer.alloc(0)

  /** @param rowBytes how long a row is on average */
  constructor(rowBytes: number) {
    this.places = new Int32Array(Math.max(1, Math.min(MOST_ROWS, Math.floor(BLOCK_BYTES / rowBytes))))
  }

  get mostRows(): number {
    return this.places.length
  }

  /** Before the first column is measured. */
  begin(first: number, rows: number): void {
    this.first = first
    this.rows = rows
    this.places.fill(COUNT_BYTES, 0, rows)
  }

  /** Every column was measured: makes room, and writes how many fields each row has. */
  open(fields: number): void {
    const { places, rows } = this
    let bytes = 0
    for (let row = 0; row < rows; row++) bytes += places[row] as number
    this.#buffer = Buffer.allocUnsafe(bytes)
    this.view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, bytes)
    let begin = 0
    for (let row = 0; row < rows; row++) {
      const length = places[row] as number
      this.view.setInt16(begin, fields)
      places[row] = begin + COUNT_BYTES
      begin += length
    }
  }

  /** Every column was written. */
  written(): Buffer {
    return this.#buffer
  }

  /** Begins the row's next field; answers where its value goes. */
  field(row: number, length: number): number {
    const at = this.places[row] as number
    this.view.setInt32(at, length)
    this.places[row] = at + LENGTH_BYTES + length
    return at + LENGTH_BYTES
  }

  /** The row's next field has no value. */
  none(row: number): void {
    const at = this.places[row] as number
    this.view.setInt32(at, NULL_LENGTH)
    this.places[row] = at + LENGTH_BYTES
  }

  /** Puts bytes of a source at a place. */
  copy(source: DataView, start: number, length: number, to: number): void {
    const { view } = this
    if (length > LONG_TEXT) {
      this.#buffer.set(new Uint8Array(source.buffer, source.byteOffset + start, length), to)
      return
    }
    const words = length & ~3
    for (let at = 0; at < words; at += 4) view.setInt32(to + at, source.getInt32(start + at))
    for (let at = words; at < length; at++) view.setInt8(to + at, source.getInt8(start + at))
  }
}
