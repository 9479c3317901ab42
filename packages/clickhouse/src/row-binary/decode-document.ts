import { DataTypeError } from '../errors.ts'
import type { ByteReader } from './byte-reader.ts'
import type { CellDecoder, DecoderOf } from './cell-decoder-port.ts'
import type { ColumnType } from './column-type.ts'
import { readTypeCode } from './read-type-code.ts'

const NO_VALUE = 0xff

/** `Variant`: the value of whichever of its types it is, or null. */
export function variantDecoder({ inner }: ColumnType, decoderOf: DecoderOf): CellDecoder | null {
  const decoders = inner.map(decoderOf)
  if (decoders.includes(null)) return null
  return (reader) => {
    const place = reader.byte()
    return place === NO_VALUE ? null : (decoders[place] as CellDecoder)(reader)
  }
}

/** Decoders of the types that values bring along, by the bytes that say them. */
const dynamicDecoders = new Map<string, CellDecoder>()
const MAX_REMEMBERED = 500

/** `Dynamic`: a value behind its type. */
export function dynamicDecoder(decoderOf: DecoderOf): CellDecoder {
  return (reader) => {
    const start = reader.at
    const type = readTypeCode(reader)
    const key = reader.buffer.latin1Slice(start, reader.at)
    let decode = dynamicDecoders.get(key)
    if (decode === undefined) {
      decode = knownDecoder(type, decoderOf)
      if (dynamicDecoders.size < MAX_REMEMBERED) dynamicDecoders.set(key, decode)
    }
    return decode(reader)
  }
}

function knownDecoder(type: ColumnType | null, decoderOf: DecoderOf): CellDecoder {
  const decode = type === null ? null : decoderOf(type)
  if (decode !== null) return decode
  throw new DataTypeError(`a Dynamic value has a type${type === null ? '' : `, ${type.name},`} that is not read in binary; convert it in the query, for example with toString(…)`)
}

/**
 * `JSON`: a nested object. A typed path has its type's value. Of the others, an integer is a number where a number can hold it, else a
 * `bigint`: documents come from JSON, which knows numbers alone.
 */
export function documentDecoder({ inner, names }: ColumnType, decoderOf: DecoderOf): CellDecoder | null {
  const typed = new Map<string, CellDecoder>()
  for (const [index, type] of inner.entries()) {
    const decode = decoderOf(type)
    if (decode === null) return null
    typed.set(names[index] as string, decode)
  }
  const decodeDynamic = dynamicDecoder(decoderOf)
  return (reader) => {
    const document = {}
    for (let left = reader.varint(); left > 0; left--) {
      const path = reader.string()
      const decode = typed.get(path)
      setPath(document, path, decode === undefined ? narrowed(decodeDynamic(reader)) : decode(reader))
    }
    return document
  }
}

function narrowed(value: unknown): unknown {
  if (typeof value === 'bigint') return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
  return Array.isArray(value) ? value.map(narrowed) : value
}

/** Where a path leads through something that is no object, the rest of it stays one name. Only own properties: a path may be called `__proto__`. */
function setPath(document: object, path: string, value: unknown): void {
  const parts = path.split('.')
  let place = document as Record<string, unknown>
  while (parts.length > 1) {
    const next = Object.hasOwn(place, parts[0] as string) ? place[parts[0] as string] : {}
    if (typeof next !== 'object' || next === null || Object.getPrototypeOf(next) !== Object.prototype) break
    setOwn(place, parts.shift() as string, next)
    place = next as Record<string, unknown>
  }
  setOwn(place, parts.join('.'), value)
}

function setOwn(place: object, name: string, value: unknown): void {
  Object.defineProperty(place, name, { value, writable: true, enumerable: true, configurable: true })
}

/** `QBit`: a vector of floats. */
export function vectorDecoder(type: ColumnType, decoderOf: DecoderOf): CellDecoder | null {
  const element = decoderOf({ name: type.args[0] ?? '', inner: [], args: [], names: [] })
  if (element === null) return null
  return (reader: ByteReader) => Array.from({ length: reader.varint() }, () => element(reader))
}

declare global {
  interface Buffer {
    latin1Slice(start: number, end: number): string
  }
}
