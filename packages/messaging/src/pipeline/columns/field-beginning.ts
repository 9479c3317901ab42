/** A field to look for. */
export interface ScannedField {
  readonly name: string
  /**
   * How long its texts usually are, where that is known. One that has a quote behind so many bytes is taken for such a text without a look at
   * them: whoever reads it must look at every byte. @default every text is looked at
   */
  readonly textLengths?: readonly number[]
}

/** How a field begins when it is written without spaces, as most are: quote, name, quote and colon. */
export interface FieldBeginning {
  readonly length: number
  /** Of four bytes each; the last one ends where the beginning does. */
  readonly words: Int32Array
}

/** Names that stand in JSON as they are, whoever writes it. */
const PLAIN_NAME = /^[\w-]+$/
/** Longer than any event. */
const NEVER: FieldBeginning = { length: Number.MAX_SAFE_INTEGER, words: new Int32Array(1) }

/** How the field of a name begins; one that may be written in several ways has no beginning. */
export function beginningOf(name: string): FieldBeginning {
  if (!PLAIN_NAME.test(name)) return NEVER
  const bytes = Buffer.from(`"${name}":`)
  const words = Array.from({ length: Math.ceil(bytes.length / 4) }, (_, index) => bytes.readInt32LE(Math.min(4 * index, bytes.length - 4)))
  return { length: bytes.length, words: Int32Array.from(words) }
}

/** Whether the bytes from `at` are that beginning. */
export function beginsHere({ length, words }: FieldBeginning, view: DataView, at: number, end: number): boolean {
  if (at + length > end) return false
  const last = words.length - 1
  for (let index = 0; index < last; index++) if (view.getInt32(at + 4 * index, true) !== words[index]) return false
  return view.getInt32(at + length - 4, true) === words[last]
}

/** Whether a name is what stands between two places. */
export function isSame(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let index = 0; index < name.length; index++) if (bytes[start + index] !== name[index]) return false
  return true
}
