import { arrayCodec } from './array-codec.ts'
import type { Codec } from './codec.ts'
import { jsonCodec } from './json-codec.ts'
import { numericCodec, type NumericLimit } from './numeric-codec.ts'
import { booleanCodec, bytesCodec, floatCodec, int8Codec, integerCodec, textCodec, uuidCodec } from './scalar-codecs.ts'
import { dateCodec, timestampCodec } from './time-codecs.ts'

/** A column's type as the catalog describes it, domains resolved. */
export interface ColumnType {
  readonly typeId: number
  /** `pg_type.typname`. */
  readonly name: string
  /** `pg_type.typtype`: b base, e enum, … */
  readonly kind: string
  /** `pg_attribute.atttypmod`; -1 for none. */
  readonly modifier: number
  /** The elements, when it is an array. */
  readonly element: { readonly typeId: number; readonly name: string; readonly kind: string } | null
}

/** The type modifier of length-limited types counts its own four bytes. */
const MODIFIER_OFFSET = 4

/** Writes values of a type in binary; `undefined` when this package can't. */
export function findCodec(type: ColumnType): Codec | undefined {
  if (!type.element) return scalarCodec(type.name, type.kind, type.modifier)
  const element = scalarCodec(type.element.name, type.element.kind, type.modifier)
  // An array within a JSON array is a value of its own, not a further dimension.
  return element && arrayCodec(type.element.typeId, element, !type.element.name.startsWith('json'))
}

function scalarCodec(name: string, kind: string, modifier: number): Codec | undefined {
  if (isText({ name, kind })) return textCodec(lengthLimit({ name, modifier }))
  switch (name) {
    case 'bool':
      return booleanCodec
    case 'int2':
      return integerCodec(16)
    case 'int4':
      return integerCodec(32)
    case 'int8':
      return int8Codec
    case 'float4':
      return floatCodec(32)
    case 'float8':
      return floatCodec(64)
    case 'numeric':
      return numericCodec(numericLimit(modifier))
    case 'timestamptz':
    case 'timestamp':
      return timestampCodec
    case 'date':
      return dateCodec
    case 'uuid':
      return uuidCodec
    case 'json':
      return jsonCodec(false)
    case 'jsonb':
      return jsonCodec(true)
    case 'bytea':
      return bytesCodec
    default:
      return undefined
  }
}

const TEXTS: readonly string[] = ['text', 'citext', 'varchar', 'bpchar']

/** Whether values of a type are sent as the text that they are. */
export function isText({ name, kind }: Pick<ColumnType, 'name' | 'kind'>): boolean {
  return kind === 'e' || TEXTS.includes(name)
}

/** The most characters of a text; `undefined` for any. */
export function lengthLimit({ name, modifier }: Pick<ColumnType, 'name' | 'modifier'>): number | undefined {
  return (name === 'varchar' || name === 'bpchar') && modifier >= 0 ? modifier - MODIFIER_OFFSET : undefined
}

/** numeric packs precision and a scale of eleven bits, with a sign, into its modifier. */
export function numericLimit(modifier: number): NumericLimit | undefined {
  if (modifier < MODIFIER_OFFSET) return undefined
  const packed = modifier - MODIFIER_OFFSET
  const scale = ((packed & 0x7ff) ^ 1024) - 1024
  return { precision: (packed >> 16) & 0xffff, scale }
}
