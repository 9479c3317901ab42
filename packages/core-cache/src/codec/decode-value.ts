import { MARK, MOST_DEPTH } from './encode-value.ts'

/** Digits of a bigint that are read: what takes longer is no honest value. */
const MOST_DIGITS = 100_000
const NUMBERS: Readonly<Record<string, number>> = { NaN: Number.NaN, Infinity, '-Infinity': -Infinity, '-0': -0 }
const VIEWS = {
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView,
} as const

/** What was encoded; `undefined` for a text that no {@link encodeValue} wrote. Never throws. */
export function decodeValue(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: decode(JSON.parse(text), 0) }
  } catch {
    // A syntax error, something that we don't write, or nested so deep that the stack ends: foreign in any case.
    return undefined
  }
}

/** Never leaves this file. */
class Foreign extends TypeError {}

function decode(given: unknown, depth: number): unknown {
  if (typeof given !== 'object' || given === null) return given
  if (depth > MOST_DEPTH) throw new Foreign()
  if (Array.isArray(given)) {
    for (let at = 0; at < given.length; at++) given[at] = decode(given[at], depth + 1)
    return given
  }
  const mark = Object.hasOwn(given, MARK) ? (given as Record<string, unknown>)[MARK] : undefined
  if (mark !== undefined) return decodeMarked(mark, (given as { readonly v?: unknown }).v, depth)
  return decodeMembers(given as Record<string, unknown>, depth)
}

function decodeMembers(given: Record<string, unknown>, depth: number): Record<string, unknown> {
  for (const key of Object.keys(given)) {
    const member = given[key]
    // JSON.parse makes `__proto__` a member; only a definition keeps it one.
    if (typeof member === 'object' && member !== null) Object.defineProperty(given, key, { value: decode(member, depth + 1), enumerable: true, configurable: true, writable: true })
  }
  return given
}

function decodeMarked(mark: unknown, content: unknown, depth: number): unknown {
  switch (mark) {
    case 'undefined':
      return undefined
    case 'number':
      if (!Object.hasOwn(NUMBERS, textOf(content))) throw new Foreign()
      return NUMBERS[textOf(content)]
    case 'bigint':
      if (!/^-?\d+$/.test(textOf(content)) || textOf(content).length > MOST_DIGITS) throw new Foreign()
      return BigInt(textOf(content))
    case 'Date':
      if (content !== null && typeof content !== 'number') throw new Foreign()
      return new Date(content ?? Number.NaN)
    case 'Map':
      return new Map(listOf(content).map((pair) => pairOf(pair).map((part) => decode(part, depth + 1)) as [unknown, unknown]))
    case 'Set':
      return new Set(listOf(content).map((member) => decode(member, depth + 1)))
    case 'object':
      if (typeof content !== 'object' || content === null || Array.isArray(content)) throw new Foreign()
      return decodeMembers(content as Record<string, unknown>, depth)
    default:
      return decodeBytes(mark, content)
  }
}

function decodeBytes(mark: unknown, content: unknown): ArrayBuffer | ArrayBufferView {
  const bytes = Buffer.from(textOf(content), 'base64')
  const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
  if (mark === 'ArrayBuffer') return copy
  if (typeof mark !== 'string' || !Object.hasOwn(VIEWS, mark)) throw new Foreign()
  const View = VIEWS[mark as keyof typeof VIEWS] as new (bytes: ArrayBuffer) => ArrayBufferView
  return new View(copy)
}

function textOf(content: unknown): string {
  if (typeof content !== 'string') throw new Foreign()
  return content
}

function listOf(content: unknown): readonly unknown[] {
  if (!Array.isArray(content)) throw new Foreign()
  return content
}

function pairOf(content: unknown): readonly unknown[] {
  const pair = listOf(content)
  if (pair.length !== 2) throw new Foreign()
  return pair
}
