import type { ByteRange } from '../../transport.ts'
import { beginningOf, beginsHere, type FieldBeginning } from './field-beginning.ts'
import { endOfText } from './text-scan.ts'

/** What a value in a JSON text is. */
export const SHAPE = { absent: 0, text: 1, integer: 2, fraction: 3, yes: 4, no: 5, nothing: 6, nested: 7 } as const

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Deeper values, and objects of more keys inside of one, are left to `JSON.parse`. */
const MAX_DEPTH = 32
const MAX_KEYS = 16
/** Longer numbers aren't safe integers. */
const MAX_DIGITS = 15
/** Longer integers may not fit 64 bits. */
const MAX_INTEGER_DIGITS = 18

/** A field to look for. */
export interface ScannedField {
  readonly name: string
  /**
   * How long its texts usually are, where that is known. One that has a quote behind so many bytes is taken for such a text without a look at
   * them: whoever reads it must look at every byte. @default every text is looked at
   */
  readonly textLengths?: readonly number[]
}

/**
 * Finds the values of declared fields in the bytes of a JSON object, without making anything of them.
 *
 * It takes only what is plain: no backslash, no exponent, no number that a double would change, no field twice. For all else, and for
 * whatever is no JSON or no UTF-8, `scan` answers false, and somebody slower decides.
 */
export class JsonScanner {
  /** By field: what its value is, and where it lies; of a text, what is between the quotes. */
  readonly shapes: Uint8Array
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** By field: whether a nested value stands there as `JSON.stringify` would write it again. */
  readonly clean: Uint8Array
  /** Where the names of undeclared fields begin and end; as many as `undeclaredCount`, and at most {@link MAX_KEYS}. */
  readonly undeclared: Int32Array = new Int32Array(2 * MAX_KEYS)
  undeclaredCount = 0
  /** Of the bytes that were scanned last. */
  view: DataView = new DataView(new ArrayBuffer(0))
  readonly #names: readonly Uint8Array[]
  readonly #beginnings: readonly FieldBeginning[]
  readonly #textLengths: readonly (readonly number[])[]
  #bytes: Uint8Array = new Uint8Array(0)
  #shape = 0
  #isClean = true
  #expected = 0
  #end = 0

  constructor(fields: readonly ScannedField[]) {
    this.#names = fields.map(({ name }) => Buffer.from(name))
    this.#beginnings = fields.map(({ name }) => beginningOf(name))
    this.#textLengths = fields.map(({ textLengths }) => textLengths ?? [])
    this.shapes = new Uint8Array(fields.length)
    this.starts = new Int32Array(fields.length)
    this.ends = new Int32Array(fields.length)
    this.clean = new Uint8Array(fields.length)
  }

  scan({ bytes, start, end }: ByteRange): boolean {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.#end = end
    this.#expected = 0
    this.undeclaredCount = 0
    for (let field = 0; field < this.shapes.length; field++) this.shapes[field] = SHAPE.absent
    const begin = this.#skipSpace(start)
    if (begin >= end || bytes[begin] !== OPEN_OBJECT) return false
    let at = this.#skipSpace(begin + 1)
    if (bytes[at] === CLOSE_OBJECT) return this.#skipSpace(at + 1) === end
    for (;;) {
      at = this.#member(at)
      if (at < 0) return false
      at = this.#skipSpace(at)
      const next = at < end ? bytes[at] : 0
      if (next === CLOSE_OBJECT) return this.#skipSpace(at + 1) === end
      if (next !== COMMA) return false
      at = this.#skipSpace(at + 1)
    }
  }

  /** Name and value; answers where they end, or -1. */
  #member(begin: number): number {
    const expected = this.#expected
    const beginning = this.#beginnings[expected] as FieldBeginning
    if (beginsHere(beginning, this.view, begin, this.#end)) {
      this.#expected = expected + 1 === this.#names.length ? 0 : expected + 1
      return this.#valueOf(expected, this.#skipSpace(begin + beginning.length))
    }
    const bytes = this.#bytes
    if (bytes[begin] !== QUOTE) return -1
    const nameEnd = this.#endOfText(begin + 1)
    if (nameEnd < 0) return -1
    const colon = this.#skipSpace(nameEnd + 1)
    if (bytes[colon] !== COLON) return -1
    const at = this.#skipSpace(colon + 1)
    const field = this.#fieldOf(begin + 1, nameEnd)
    if (field >= 0) return this.#valueOf(field, at)
    return this.#rememberUndeclared(begin + 1, nameEnd) ? this.#value(at, 0) : -1
  }

  /** The value of a declared field; answers where it ends, or -1. */
  #valueOf(field: number, at: number): number {
    if (this.shapes[field] !== SHAPE.absent) return -1
    this.#isClean = true
    const usual = this.#bytes[at] === QUOTE ? this.#endOfUsualText(field, at) : -1
    if (usual >= 0) this.#shape = SHAPE.text
    const end = usual >= 0 ? usual : this.#value(at, 0)
    if (end < 0) return -1
    const isText = this.#shape === SHAPE.text
    this.shapes[field] = this.#shape
    this.starts[field] = isText ? at + 1 : at
    this.ends[field] = isText ? end - 1 : end
    this.clean[field] = Number(this.#isClean)
    return end
  }

  #endOfUsualText(field: number, at: number): number {
    const lengths = this.#textLengths[field] as readonly number[]
    for (let index = 0; index < lengths.length; index++) {
      const end = at + (lengths[index] as number) + 2
      if (end <= this.#end && this.#bytes[end - 1] === QUOTE) return end
    }
    return -1
  }

  #rememberUndeclared(start: number, end: number): boolean {
    if (this.undeclaredCount === MAX_KEYS) return false
    this.undeclared[2 * this.undeclaredCount] = start
    this.undeclared[2 * this.undeclaredCount + 1] = end
    this.undeclaredCount++
    return true
  }

  /** Most events have their fields in the order of the declaration: the one behind the last is tried first. */
  #fieldOf(start: number, end: number): number {
    const count = this.#names.length
    for (let tried = 0; tried < count; tried++) {
      const field = this.#expected + tried < count ? this.#expected + tried : this.#expected + tried - count
      if (!this.#isName(this.#names[field] as Uint8Array, start, end)) continue
      this.#expected = field + 1 === count ? 0 : field + 1
      return field
    }
    return -1
  }

  #isName(name: Uint8Array, start: number, end: number): boolean {
    if (name.length !== end - start) return false
    const bytes = this.#bytes
    for (let index = 0; index < name.length; index++) if (bytes[start + index] !== name[index]) return false
    return true
  }

  #skipSpace(begin: number): number {
    const bytes = this.#bytes
    let at = begin
    while (at < this.#end) {
      const byte = bytes[at] as number
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break
      at++
    }
    return at
  }

  /** Where the closing quote is, or -1. */
  #endOfText(begin: number): number {
    return endOfText(this.view, begin, this.#end)
  }

  #value(at: number, depth: number): number {
    const first = this.#bytes[at] as number
    if (first === QUOTE) {
      this.#shape = SHAPE.text
      const end = this.#endOfText(at + 1)
      return end < 0 ? -1 : end + 1
    }
    if (first === MINUS || (first >= ZERO && first <= NINE)) return this.#number(at)
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      const end = depth === MAX_DEPTH ? -1 : first === OPEN_ARRAY ? this.#array(at + 1, depth + 1) : this.#object(at + 1, depth + 1)
      this.#shape = SHAPE.nested
      return end
    }
    return this.#literal(at)
  }

  #literal(at: number): number {
    const bytes = this.#bytes
    const { word, shape } = bytes[at] === 0x74 ? TRUE : bytes[at] === 0x66 ? FALSE : NULL
    for (let index = 0; index < word.length; index++) if (bytes[at + index] !== word[index]) return -1
    this.#shape = shape
    return at + word.length
  }

  #number(begin: number): number {
    const bytes = this.#bytes
    const first = bytes[begin] === MINUS ? begin + 1 : begin
    let at = this.#digits(first)
    // A zero before other digits is no JSON.
    if (at === first || (bytes[first] === ZERO && at > first + 1)) return -1
    this.#shape = SHAPE.integer
    let digits = at - first
    if (bytes[at] === POINT) {
      const fraction = at + 1
      at = this.#digits(fraction)
      if (at === fraction) return -1
      this.#shape = SHAPE.fraction
      this.#isClean = false
      digits += at - fraction
    } else if (first > begin && bytes[first] === ZERO) {
      // Minus zero is not what its digits say.
      return -1
    }
    const next = bytes[at]
    if (next === 0x65 || next === 0x45) return -1
    return digits > (this.#shape === SHAPE.integer ? MAX_INTEGER_DIGITS : MAX_DIGITS) ? -1 : at
  }

  #digits(begin: number): number {
    const bytes = this.#bytes
    let at = begin
    while (at < this.#end && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE) at++
    return at
  }

  #array(begin: number, depth: number): number {
    const bytes = this.#bytes
    let at = this.#spaceInside(begin)
    if (bytes[at] === CLOSE_ARRAY) return at + 1
    for (;;) {
      at = this.#value(at, depth)
      if (at < 0) return -1
      at = this.#spaceInside(at)
      if (bytes[at] === CLOSE_ARRAY) return at + 1
      if (bytes[at] !== COMMA) return -1
      at = this.#spaceInside(at + 1)
    }
  }

  #object(begin: number, depth: number): number {
    const bytes = this.#bytes
    let at = this.#spaceInside(begin)
    if (bytes[at] === CLOSE_OBJECT) return at + 1
    // Names are compared only by the few first ones; objects of more are written again by `JSON.stringify`.
    const names: number[] = []
    for (;;) {
      if (bytes[at] !== QUOTE) return -1
      const nameEnd = this.#endOfText(at + 1)
      if (nameEnd < 0) return -1
      this.#checkNestedName(names, at + 1, nameEnd)
      at = this.#spaceInside(nameEnd + 1)
      if (bytes[at] !== COLON) return -1
      at = this.#value(this.#spaceInside(at + 1), depth)
      if (at < 0) return -1
      at = this.#spaceInside(at)
      if (bytes[at] === CLOSE_OBJECT) return at + 1
      if (bytes[at] !== COMMA) return -1
      at = this.#spaceInside(at + 1)
    }
  }

  /** A name that comes twice, and one that begins with a digit, may stand elsewhere when the object is written again. */
  #checkNestedName(names: number[], start: number, end: number): void {
    const first = this.#bytes[start] as number
    if (!this.#isClean) return
    if ((first >= ZERO && first <= NINE) || names.length === 2 * MAX_KEYS) this.#isClean = false
    for (let index = 0; index < names.length && this.#isClean; index += 2) {
      const other = this.#bytes.subarray(names[index], names[index + 1])
      if (this.#isName(other, start, end)) this.#isClean = false
    }
    names.push(start, end)
  }

  #spaceInside(begin: number): number {
    const at = this.#skipSpace(begin)
    if (at !== begin) this.#isClean = false
    return at
  }
}

const TRUE = { word: Buffer.from('true'), shape: SHAPE.yes } as const
const FALSE = { word: Buffer.from('false'), shape: SHAPE.no } as const
const NULL = { word: Buffer.from('null'), shape: SHAPE.nothing } as const
