import type { ByteReader } from './byte-reader.ts'
import type { ColumnType } from './column-type.ts'

/** Reads one value. */
export type CellDecoder = (reader: ByteReader) => unknown

/** Finds the decoder of a type; null for one that has none. Handed to the decoders of types that hold others. */
export type DecoderOf = (type: ColumnType) => CellDecoder | null
