import { inferType } from '../parameters/infer-type.ts'
import { isTyped } from '../parameters/typed-value.ts'
import { ByteWriter } from './byte-writer.ts'
import { CellRefusal, kindOf } from './cell-refusal.ts'
import { type ColumnType, parseColumnType } from './column-type.ts'
import type { CellEncoder } from './encode-number.ts'
import { writeTypeCode } from './write-type-code.ts'

/** Finds the encoder of a type; null for one that has none. Handed to the encoders of types that hold others. */
export type EncoderOf = (type: ColumnType) => CellEncoder | null

const NO_VALUE = 0xff

/** Of several types that would take a value, the one that keeps most of it; names that are missing come last. */
const TEXT_ORDER = ['String', 'FixedString', 'Enum8', 'Enum16', 'UUID', 'IPv4', 'IPv6', 'DateTime64', 'DateTime', 'Date32', 'Date', 'Time64', 'Time', 'Decimal']
const OTHER_ORDER = ['Int256', 'UInt256', 'Int128', 'UInt128', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Int16', 'UInt16', 'Int8', 'UInt8', 'Float64', 'Float32', 'BFloat16', 'Decimal', 'DateTime64', 'DateTime', 'Date32', 'Date']

/**
 * `Variant`: a value goes to the first of the types that takes it, those that keep most of it first; `typed('UUID', id)` names another one.
 * On the wire, types are counted in the order in which the server lists them.
 */
export function variantEncoder({ inner }: ColumnType, encoderOf: EncoderOf): CellEncoder | null {
  const encoders = inner.map(encoderOf)
  if (encoders.includes(null)) return null
  const ranked = (order: readonly string[]): readonly number[] => {
    const rank = ({ name }: ColumnType): number => (order.indexOf(name) + 1 || order.length + 1)
    return inner.map((_type, place) => place).sort((left, right) => rank(inner[left] as ColumnType) - rank(inner[right] as ColumnType))
  }
  const [forText, forOthers] = [ranked(TEXT_ORDER), ranked(OTHER_ORDER)]
  const names = inner.map(({ name }) => name).join(', ')
  return (writer, given) => {
    if (given === null || given === undefined) return void writer.byte(NO_VALUE)
    const [value, places] = isTyped(given) ? [given.value, placesOf(given.type, inner)] : [given, typeof given === 'string' ? forText : forOthers]
    const start = writer.at
    for (const place of places) {
      writer.byte(place)
      if ((encoders[place] as CellEncoder)(writer, value) === undefined) return undefined
      writer.at = start
    }
    return new CellRefusal(`fits none of ${names}, is a ${kindOf(value)}; name one with typed(…)`)
  }
}

/** Where the type stands that is named; one of the same kind will do, where there is but one. */
function placesOf(type: string, inner: readonly ColumnType[]): readonly number[] {
  const wanted = parseColumnType(type)
  const places = (isIt: (candidate: ColumnType) => boolean): number[] => inner.flatMap((candidate, place) => (isIt(candidate) ? [place] : []))
  const exact = places((candidate) => wordOf(candidate) === wordOf(wanted))
  const alike = places(({ name }) => name === wanted.name)
  return exact.length > 0 || alike.length > 1 ? exact : alike
}

/** The server lists an enum's values by their numbers, whatever order they were declared in. */
function wordOf(type: ColumnType): string {
  return JSON.stringify(type.name.startsWith('Enum') ? { ...type, args: [...type.args].sort() } : type)
}

interface DynamicCodec {
  readonly code: Uint8Array
  readonly encode: CellEncoder
}

const MAX_REMEMBERED = 500

/** `Dynamic`: a value behind its type, which follows from the value as a parameter's does, or is that of `typed(type, value)`. */
export function dynamicEncoder(encoderOf: EncoderOf): CellEncoder {
  const codecs = new Map<string, DynamicCodec | null>()
  const codecOf = (type: string): DynamicCodec | null => {
    const known = codecs.get(type)
    if (known !== undefined) return known
    const codec = dynamicCodec(parseColumnType(type), encoderOf)
    if (codecs.size < MAX_REMEMBERED) codecs.set(type, codec)
    return codec
  }
  return (writer, given) => {
    if (given === null || given === undefined) return void writer.byte(0)
    const inferred = isTyped(given) ? { type: given.type } : inferType(given)
    if ('problem' in inferred) return new CellRefusal(inferred.problem)
    const codec = codecOf(inferred.type)
    if (codec === null) return new CellRefusal(`can't be sent as ${inferred.type}`)
    writer.bytes(codec.code)
    return codec.encode(writer, isTyped(given) ? given.value : given)
  }
}

function dynamicCodec(type: ColumnType, encoderOf: EncoderOf): DynamicCodec | null {
  const encode = encoderOf(type)
  const writer = new ByteWriter(64)
  return encode === null || !writeTypeCode(writer, type) ? null : { code: Uint8Array.from(writer.written()), encode }
}

/** `JSON`: as the text that the server is told to expect. Integers up to 64 bits keep their digits; a `Date` becomes ISO text. */
export const documentEncoder: CellEncoder = (writer, value) => {
  if (typeof value === 'string' && isObjectText(value)) return writer.string(value) ? undefined : new CellRefusal('contains half of a surrogate pair')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new CellRefusal(`must be an object, or the JSON text of one, is a ${kindOf(value)}`)
  const problems: string[] = []
  const text = JSON.stringify(value instanceof Map ? Object.fromEntries(value as Map<string, unknown>) : value, (key, member: unknown) => {
    if (typeof member === 'bigint') {
      if (member !== BigInt.asIntN(64, member) && member !== BigInt.asUintN(64, member)) problems.push(`holds an integer of more than 64 bits under "${key}", which a document can't; give text`)
      return JSON.rawJSON(String(member))
    }
    if (member instanceof Map) return Object.fromEntries(member as Map<string, unknown>)
    if (typeof member === 'number' && !Number.isFinite(member)) problems.push(`holds ${member} under "${key}", which JSON has no word for; leave it out, or give text`)
    return member
  })
  if (problems[0] !== undefined) return new CellRefusal(problems[0])
  return writer.string(text) ? undefined : new CellRefusal('contains half of a surrogate pair')
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

declare global {
  interface JSON {
    rawJSON(text: string): object
  }
}

/** `QBit`: a vector of as many floats as the column has dimensions. */
export function vectorEncoder({ args: [element = '', dimension] }: ColumnType, encoderOf: EncoderOf): CellEncoder | null {
  const encode = encoderOf({ name: element, inner: [], args: [], names: [] })
  const length = Number(dimension)
  if (encode === null) return null
  return (writer, value) => {
    if (!Array.isArray(value) && !(value instanceof Float32Array) && !(value instanceof Float64Array)) return new CellRefusal(`must be an array of ${length} numbers, is a ${kindOf(value)}`)
    if (value.length !== length) return new CellRefusal(`must have ${length} elements, has ${value.length}`)
    writer.varint(length)
    for (const [index, number] of value.entries()) {
      const refusal = encode(writer, number)
      if (refusal !== undefined) return new CellRefusal(`element ${index} ${refusal.reason}`)
    }
    return undefined
  }
}

/** The state of an aggregate function: its bytes, as `CAST(state AS String)` gives them. Sent as text, which the server makes a state of. */
export const stateEncoder: CellEncoder = (writer, value) => {
  if (!(value instanceof Uint8Array) && typeof value !== 'string') return new CellRefusal(`must be the bytes of a state, as CAST(… AS String) gives them, is a ${kindOf(value)}`)
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  writer.varint(bytes.length)
  writer.bytes(bytes)
  return undefined
}
