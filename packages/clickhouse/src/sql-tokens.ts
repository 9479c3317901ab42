/** The smallest thing that SQL text is made of, spaces and comments left out. */
export interface SqlToken {
  /** `word`: a name or a key word; `name`: a quoted name; `string`: a text literal; `sign`: anything else, one character at a time. */
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'sign'
  /** As it stands in the text. */
  readonly text: string
  /** What it says: a word in capitals, a quoted name without its quotes. */
  readonly value: string
  readonly start: number
  readonly end: number
}

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy
const NUMBER = /\d[\w.]*/y
const HEREDOC = /\$\w*\$/y
const SPACE = /\s+/y
const CLOSING_QUOTE: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '‘': '’', '“': '”' }

/**
 * Takes SQL apart by ClickHouse's own lexical rules: backslash and doubled quotes, heredocs, nested comments. Never throws: an open quote ends with the text.
 */
export function* sqlTokens(text: string): Generator<SqlToken> {
  let at = 0
  while (at < text.length) {
    const skipped = endOfSpace(text, at)
    if (skipped > at) {
      at = skipped
      continue
    }
    const token = tokenAt(text, at)
    yield token
    at = token.end
  }
}

function tokenAt(text: string, start: number): SqlToken {
  const token = (kind: SqlToken['kind'], end: number, value = text.slice(start, end)): SqlToken => ({
    kind,
    text: text.slice(start, end),
    value,
    start,
    end,
  })
  const closing = CLOSING_QUOTE[text[start] ?? '']
  if (closing !== undefined) {
    const end = endOfQuote(text, start, closing)
    return closing === "'" || closing === '’' ? token('string', end) : token('name', end, unquote(text.slice(start + 1, end - 1), closing))
  }
  const heredoc = endOfHeredoc(text, start)
  if (heredoc !== undefined) return token('string', heredoc)
  const word = matchAt(WORD, text, start)
  if (word !== undefined) return token('word', start + word.length, word.toUpperCase())
  const number = matchAt(NUMBER, text, start)
  if (number !== undefined) return token('number', start + number.length)
  // Whole characters: half of a surrogate pair is none.
  return token('sign', start + String.fromCodePoint(text.codePointAt(start) ?? 0).length)
}

function endOfSpace(text: string, start: number): number {
  const space = matchAt(SPACE, text, start)
  if (space !== undefined) return start + space.length
  if (text.startsWith('/*', start)) return endOfBlockComment(text, start)
  if (!text.startsWith('--', start) && !/^(?:\/\/|#[ !])/.test(text.slice(start, start + 2))) return start
  const newline = text.indexOf('\n', start)
  return newline === -1 ? text.length : newline + 1
}

/** Just behind the closing quote. Inside plain quotes, a backslash escapes and a doubled quote stands for itself. */
export function endOfQuote(text: string, start: number, closing: string): number {
  const typographic = closing.charCodeAt(0) > 127
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\' && !typographic) at++
    else if (text[at] === closing) {
      if (typographic || text[at + 1] !== closing) return at + 1
      at++
    }
  }
  return text.length
}

/** Just behind the end of a block comment; they nest. */
function endOfBlockComment(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text.startsWith('/*', at)) {
      depth++
      at++
    } else if (text.startsWith('*/', at)) {
      depth--
      at++
      if (depth === 0) return at + 1
    }
  }
  return text.length
}

function endOfHeredoc(text: string, start: number): number | undefined {
  const tag = matchAt(HEREDOC, text, start)
  const end = tag === undefined ? -1 : text.indexOf(tag, start + tag.length)
  return tag === undefined || end === -1 ? undefined : end + tag.length
}

function unquote(inside: string, closing: string): string {
  if (closing.charCodeAt(0) > 127) return inside
  return inside
    .replace(/\\(?:x([\da-fA-F]{2})|(.))/gs, (_escape, hex?: string, plain = '') =>
      hex === undefined ? plain : String.fromCharCode(Number.parseInt(hex, 16)),
    )
    .replaceAll(closing + closing, closing)
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}
