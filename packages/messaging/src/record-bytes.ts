// How parts of records are told to lie in bytes, for whoever looks at many of them without an object for each.

/** Where something lies in a larger buffer; filled in by whoever knows. */
export interface ByteRange {
  bytes: Uint8Array
  start: number
  end: number
}

/** Where a record's value lies. */
export interface ValuePlace extends ByteRange {
  /** The record's offset; NaN for one beyond the integers that a number can hold. */
  offset: number
}

/** Where a record's key, value and headers lie, one behind the other, as Kafka's format 2 has them. */
export interface RecordPlace {
  bytes: Buffer
  /** Of the key's first byte: its length, which stands before it, is {@link RecordPlace.keyLength}. */
  keyStart: number
  /** -1 where there is no key. */
  keyLength: number
  /** Where the number of headers stands, behind the value. */
  headersStart: number
  end: number
}

/** Key, value and headers as they stand in a record of Kafka's format 2. */
export interface WrittenContent {
  readonly bytes: number
  /** Writes them, and answers where they end. */
  write(target: Uint8Array, at: number): number
}
