import type { ByteRange } from '../../transport.ts'
import { beginningOf, beginsHere, type FieldBeginning, isSame, type ScannedField } from './field-beginning.ts'
import { endOfText, hasBackslash } from './text-scan.ts'
import { literalAt, mayBeginJson, SHAPE } from './value-shapes.ts'

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

/**
 * Finds the values of declared fields in the bytes of a JSON object, without making anything of them.
 *
 * It takes only what is plain: no backslash, no exponent, no number that a double would change, no field twice. For all else, and for
 * whatever is no JSON or no UTF-8, `scan` answers false, and somebody slower decides; not so where `isNoJson` says that there is nothing to decide.
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
  #isBroken = false
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
    this.#isBroken = false
    this.#expected = 0
    this.undeclaredCount = 0
    for (let field = 0; field < this.shapes.length; field++) this.shapes[field] = SHAPE.absent
    const begin = this.#skipSpace(start)
    const first = begin < end ? bytes[begin] : undefined
    if (first !== OPEN_OBJECT) return !mayBeginJson(first) && this.#broken() === 0
    let at = this.#skipSpace(begin + 1)
    if (bytes[at] === CLOSE_OBJECT) return this.#isEnd(at + 1)
    for (;;) {
      at = this.#member(at)
      if (at < 0) return false
      at = this.#skipSpace(at)
      const next = at < end ? bytes[at] : 0
      if (next === CLOSE_OBJECT) return this.#isEnd(at + 1)
      if (next !== COMMA) return this.#broken() === 0
      at = this.#skipSpace(at + 1)
    }
  }

  #isEnd(at: number): boolean {
    return this.#skipSpace(at) === this.#end || this.#broken() === 0
  }

  /** No JSON goes on like this. */
  #broken(): number {
    this.#isBroken = true
    return -1
  }

  /** A text doesn't end. Without a backslash before the end of it all, it is none, or no UTF-8. */
  #brokenText(begin: number): number {
    return hasBackslash(this.#bytes, begin, this.#end) ? -1 : this.#broken()
  }

  /** Whether what was scanned last is surely no JSON: none goes on as this does where the scan ended. Texts that were taken for such by their length are looked at now. */
  get isNoJson(): boolean {
    return this.#isBroken && this.#textLengths.every((lengths, field) => lengths.length === 0 || this.shapes[field] !== SHAPE.text || this.#endOfText(this.starts[field] as number) === this.ends[field])
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
    if (bytes[begin] !== QUOTE) return this.#broken()
    const nameEnd = this.#endOfText(begin + 1)
    if (nameEnd < 0) return this.#brokenText(begin + 1)
    const colon = this.#skipSpace(nameEnd + 1)
    if (bytes[colon] !== COLON) return this.#broken()
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
      if (!isSame(this.#names[field] as Uint8Array, this.#bytes, start, end)) continue
      this.#expected = field + 1 === count ? 0 : field + 1
      return field
    }
    return -1
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
      return end < 0 ? this.#brokenText(at + 1) : end + 1
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
    const literal = literalAt(this.#bytes, at)
    if (literal === null) return this.#broken()
    this.#shape = literal.shape
    return at + literal.word.length
  }

  #number(begin: number): number {
    const bytes = this.#bytes
    const first = bytes[begin] === MINUS ? begin + 1 : begin
    let at = this.#digits(first)
    // A zero before other digits is no JSON.
    if (at === first || (bytes[first] === ZERO && at > first + 1)) return this.#broken()
    this.#shape = SHAPE.integer
    let digits = at - first
    if (bytes[at] === POINT) {
      const fraction = at + 1
      at = this.#digits(fraction)
      if (at === fraction) return this.#broken()
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
      if (bytes[at] !== COMMA) return this.#broken()
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
      if (bytes[at] !== QUOTE) return this.#broken()
      const nameEnd = this.#endOfText(at + 1)
      if (nameEnd < 0) return this.#brokenText(at + 1)
      this.#checkNestedName(names, at + 1, nameEnd)
      at = this.#spaceInside(nameEnd + 1)
      if (bytes[at] !== COLON) return this.#broken()
      at = this.#value(this.#spaceInside(at + 1), depth)
      if (at < 0) return -1
      at = this.#spaceInside(at)
      if (bytes[at] === CLOSE_OBJECT) return at + 1
      if (bytes[at] !== COMMA) return this.#broken()
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
      if (isSame(other, this.#bytes, start, end)) this.#isClean = false
    }
    names.push(start, end)
  }

  #spaceInside(begin: number): number {
    const at = this.#skipSpace(begin)
    if (at !== begin) this.#isClean = false
    return at
  }
}
