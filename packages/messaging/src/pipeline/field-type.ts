import { ConfigurationError } from '@smart-whale/interfaces'

/** Types that a field of an event may have; a `?` behind one allows null and absence. */
export type FieldKind = 'string' | 'int32' | 'int64' | 'float64' | 'decimal' | 'boolean' | 'timestamp' | 'date' | 'uuid' | 'json'

/** A field type, taken apart. */
export interface FieldType {
  readonly kind: FieldKind
  readonly nullable: boolean
  /** Digits in all, for `decimal`. */
  readonly precision: number
  /** Digits behind the point, for `decimal`. */
  readonly scale: number
}

const PLAIN = new Set<string>(['string', 'int32', 'int64', 'float64', 'boolean', 'timestamp', 'date', 'uuid', 'json'])

/** Whether a text names a field type. */
export function isFieldType(text: string): boolean {
  return parse(text) !== null
}

/** Takes a field type apart. @throws ConfigurationError for a text that {@link isFieldType} refuses */
export function parseFieldType(text: string): FieldType {
  const type = parse(text)
  if (type === null) throw new ConfigurationError(`"${text}" is not a field type`)
  return type
}

function parse(text: string): FieldType | null {
  const nullable = text.endsWith('?')
  const base = nullable ? text.slice(0, -1) : text
  if (PLAIN.has(base)) return { kind: base as FieldKind, nullable, precision: 0, scale: 0 }
  const decimal = /^decimal\((\d{1,2}),(\d{1,2})\)$/.exec(base)
  if (decimal === null) return null
  const precision = Number(decimal[1])
  const scale = Number(decimal[2])
  // 38 digits are what a 128-bit decimal holds, and the most that both stores share.
  return precision >= 1 && precision <= 38 && scale <= precision ? { kind: 'decimal', nullable, precision, scale } : null
}

/** The text of a field type, as {@link parseFieldType} takes it. */
export function fieldTypeText({ kind, nullable, precision, scale }: FieldType): string {
  return `${kind}${kind === 'decimal' ? `(${precision},${scale})` : ''}${nullable ? '?' : ''}`
}

/** Whether every value of the one type is a value of the other, as it is. */
export function fitsInto(from: FieldType, to: FieldType): boolean {
  if (from.kind !== to.kind || (from.nullable && !to.nullable)) return false
  return from.kind !== 'decimal' || (from.scale <= to.scale && from.precision - from.scale <= to.precision - to.scale)
}
