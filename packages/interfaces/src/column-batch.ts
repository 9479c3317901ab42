/**
 * How the values of a column lie in memory. All numbers have their little end first.
 * `text`: each behind its length in bytes, as LEB128. `int32`, `int64`, `float64`: as they are. `boolean`: a byte, 0 or 1.
 * `milliseconds`: since 1970, 64 bits. `days`: since 1970, 32 bits. `uuid`: 16 bytes in the order of the text.
 * `decimal32`, `decimal64`: the unscaled value in 32 or 64 bits.
 */
export type ColumnLayout = 'text' | 'int32' | 'int64' | 'float64' | 'boolean' | 'milliseconds' | 'days' | 'uuid' | 'decimal32' | 'decimal64'

/** One column of a batch. */
export interface ColumnValues {
  readonly name: string
  readonly layout: ColumnLayout
  /** Digits in all and behind the point, of decimals; 0 otherwise. */
  readonly precision: number
  readonly scale: number
  /** Whether the texts are JSON, for a store that has a type for it: it keeps what they say, and not the text. @default false */
  readonly isJson?: boolean | undefined
  /** The values, one behind the other; where there is none, zeros or an empty text. */
  readonly bytes: Uint8Array
  /** Whether `bytes` is one value, which every row has. */
  readonly isConstant: boolean
  /** A byte a row, 1 where there is no value; null for a column that always has one. */
  readonly nulls: Uint8Array | null
}

/** The rows of a batch by column: nothing is made for a row. Valid until it is written; must not be changed. */
export interface ColumnBatch {
  readonly rows: number
  readonly columns: readonly ColumnValues[]
}
