import type { RowBlock } from './row-block.ts'

/**
 * The fields that a column's values become. Block by block, in the order of the rows: `measure`, then `write`. Either answers false
 * when it meets a value that the column may not take: that is decided on, and said, where rows are encoded.
 */
export interface ColumnFields {
  /** Adds the bytes of each field to those of its row. */
  measure(block: RowBlock): boolean
  write(block: RowBlock): boolean
}

/** The memory of a column's values as it is read here. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
