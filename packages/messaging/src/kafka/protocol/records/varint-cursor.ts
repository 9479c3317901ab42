/** Walks through the varints of records. Behind the last byte it reads nonsense, never throws: whoever walks compares where it ends. */
export class VarintCursor {
  at = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** A zigzag varint; most have one byte or two. */
  next(): number {
    const bytes = this.#bytes
    const first = bytes[this.at++] as number
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    const second = bytes[this.at] as number
    if (second < 0x80) {
      this.at++
      const value = (first & 0x7f) | (second << 7)
      return (value >>> 1) ^ -(value & 1)
    }
    return this.#long(first & 0x7f)
  }

  #long(low: number): number {
    let value = low
    for (let scale = 128; scale < 2 ** 63; scale *= 128) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined) return Number.NaN
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    return Number.NaN
  }
}
