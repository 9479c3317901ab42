const CHUNK_BYTES = 128 * 1024

/** Where a field's length is to be written. */
interface OpenField {
  readonly chunk: Buffer
  readonly at: number
  /** Chunks that were full when it began. */
  readonly full: number
}

/** Writes PostgreSQL's binary values into chunks of memory that grow as needed. */
export class BinaryWriter {
  readonly #full: Buffer[] = []
  readonly #open: OpenField[] = []
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  #at = 0

  int8(value: number): void {
    this.#room(1)
    this.#at = this.#chunk.writeUInt8(value & 0xff, this.#at)
  }

  int16(value: number): void {
    this.#room(2)
    this.#at = this.#chunk.writeInt16BE(value, this.#at)
  }

  uint16(value: number): void {
    this.#room(2)
    this.#at = this.#chunk.writeUInt16BE(value, this.#at)
  }

  int32(value: number): void {
    this.#room(4)
    this.#at = this.#chunk.writeInt32BE(value, this.#at)
  }

  uint32(value: number): void {
    this.#room(4)
    this.#at = this.#chunk.writeUInt32BE(value, this.#at)
  }

  int64(value: bigint): void {
    this.#room(8)
    this.#at = this.#chunk.writeBigInt64BE(value, this.#at)
  }

  float32(value: number): void {
    this.#room(4)
    this.#at = this.#chunk.writeFloatBE(value, this.#at)
  }

  float64(value: number): void {
    this.#room(8)
    this.#at = this.#chunk.writeDoubleBE(value, this.#at)
  }

  bytes(value: Uint8Array): void {
    this.#room(value.byteLength)
    this.#chunk.set(value, this.#at)
    this.#at += value.byteLength
  }

  utf8(text: string): void {
    // A UTF-16 unit takes three bytes at most.
    this.#room(text.length * 3)
    this.#at += this.#chunk.write(text, this.#at, 'utf8')
  }

  /** Begins a field: its length stands in front of what is written until {@link closeField}. Fields may nest. */
  openField(): void {
    this.#room(4)
    this.#open.push({ chunk: this.#chunk, at: this.#at, full: this.#full.length })
    this.#at += 4
  }

  /** Ends the innermost field. */
  closeField(): void {
    const field = this.#open.pop() as OpenField
    let length = this.#at - field.at - 4
    for (let index = field.full; index < this.#full.length; index++) length += (this.#full[index] as Buffer).byteLength
    field.chunk.writeInt32BE(length, field.at)
  }

  /** All that was written. */
  chunks(): Buffer[] {
    return [...this.#full, this.#chunk.subarray(0, this.#at)]
  }

  #room(bytes: number): void {
    if (this.#chunk.byteLength - this.#at >= bytes) return
    this.#full.push(this.#chunk.subarray(0, this.#at))
    this.#chunk = Buffer.allocUnsafe(Math.max(bytes, CHUNK_BYTES))
    this.#at = 0
  }
}
