/** What a value in a JSON text is. */
export const SHAPE = { absent: 0, text: 1, integer: 2, fraction: 3, yes: 4, no: 5, nothing: 6, nested: 7 } as const

/** A value that is a word. */
export interface LiteralWord {
  readonly word: Uint8Array
  readonly shape: number
}

const TRUE: LiteralWord = { word: Buffer.from('true'), shape: SHAPE.yes }
const FALSE: LiteralWord = { word: Buffer.from('false'), shape: SHAPE.no }
const NULL: LiteralWord = { word: Buffer.from('null'), shape: SHAPE.nothing }

/** The word that stands here; null when none does. */
export function literalAt(bytes: Uint8Array, at: number): LiteralWord | null {
  const literal = bytes[at] === 0x74 ? TRUE : bytes[at] === 0x66 ? FALSE : NULL
  for (let index = 0; index < literal.word.length; index++) if (bytes[at + index] !== literal.word[index]) return null
  return literal
}

const BEGINNINGS: ReadonlySet<number> = new Set(Buffer.from('{["-0123456789tfn'))

/** Whether a JSON text may begin with this byte. */
export const mayBeginJson = (byte: number | undefined): boolean => byte !== undefined && BEGINNINGS.has(byte)
