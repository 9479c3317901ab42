/** A ClickHouse type, taken apart: `Map(String, Array(UInt8))` is a name with arguments. */
export interface ColumnType {
  readonly name: string
  /** Arguments that are types; without the names that a tuple's elements, or a JSON column's paths, have before them. */
  readonly inner: readonly ColumnType[]
  /** Arguments as they are written, for those that aren't types: precision, scale, time zone, enum entries. */
  readonly args: readonly string[]
  /** Names of a named tuple's elements, or a JSON column's typed paths; empty otherwise. */
  readonly names: readonly string[]
}

const HAS_TYPES = new Set(['Nullable', 'LowCardinality', 'Array', 'Map', 'Tuple', 'Nested', 'Variant', 'SimpleAggregateFunction', 'JSON'])
/** Names of decimals that say their width, with the precision that it stands for. */
const DECIMAL_PRECISIONS: Readonly<Record<string, string>> = { Decimal32: '9', Decimal64: '18', Decimal128: '38', Decimal256: '76' }

/** Takes apart what `system.columns` calls a type. Never throws: a text that is no type gives a name that nobody knows. */
export function parseColumnType(text: string): ColumnType {
  const open = text.indexOf('(')
  if (open === -1 || !text.endsWith(')')) return { name: text.trim(), inner: [], args: [], names: [] }
  const name = text.slice(0, open).trim()
  const args = splitArguments(text.slice(open + 1, -1))
  const precision = DECIMAL_PRECISIONS[name]
  if (precision !== undefined) return { name: 'Decimal', inner: [], args: [precision, ...args], names: [] }
  if (!HAS_TYPES.has(name)) return { name, inner: [], args, names: [] }
  const elements = elementsOf(name, args)
  const named = elements.length > 0 && elements.every((element) => element.name !== '')
  return { name, inner: elements.map((element) => parseColumnType(element.type)), args, names: named ? elements.map((element) => element.name) : [] }
}

interface Element {
  readonly name: string
  readonly type: string
}

function elementsOf(name: string, args: readonly string[]): readonly Element[] {
  switch (name) {
    case 'Tuple':
    case 'Nested':
      return args.map(splitElement)
    // Besides typed paths: limits like `max_dynamic_paths=2`, and paths to skip.
    case 'JSON':
      return args.filter((argument) => !/^(?:\w+\s*=|SKIP\s)/.test(argument)).map(splitElement)
    case 'SimpleAggregateFunction':
      return args.slice(1).map((type) => ({ name: '', type }))
    default:
      return args.map((type) => ({ name: '', type }))
  }
}

/** Splits at the commas that lie in no bracket and no quote. */
function splitArguments(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === "'" || character === '`') at = endOfQuote(text, at)
    else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, at).trim())
      start = at + 1
    }
  }
  const last = text.slice(start).trim()
  return last === '' && parts.length === 0 ? [] : [...parts, last]
}

function endOfQuote(text: string, at: number): number {
  const quote = text[at]
  for (let next = at + 1; next < text.length; next++) {
    if (text[next] === '\\') next++
    else if (text[next] === quote) return next
  }
  return text.length
}

/** An element of a tuple may have a name before its type: `` `a b` UInt8 `` or `x Nullable(String)`. */
function splitElement(text: string): Element {
  if (text.startsWith('`')) {
    const end = endOfQuote(text, 0)
    return { name: unescapeText(text.slice(1, end)), type: text.slice(end + 1).trim() }
  }
  const named = /^([A-Za-z_][\w.]*)\s+(?=[A-Z])/.exec(text)
  return named === null ? { name: '', type: text } : { name: named[1] ?? '', type: text.slice(named[0].length) }
}

/** The type without what only says how it is stored. */
export function bareType(type: ColumnType): ColumnType {
  const [inner] = type.inner
  return (type.name === 'Nullable' || type.name === 'LowCardinality' || type.name === 'SimpleAggregateFunction') && inner !== undefined ? bareType(inner) : type
}

/** The names of an enum's values by their numbers. */
export function enumEntries({ args }: ColumnType): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  for (const entry of args) {
    const parts = /^'((?:[^'\\]|\\.)*)'\s*=\s*(-?\d+)$/s.exec(entry)
    if (parts !== null) names.set(Number(parts[2]), unescapeText(parts[1] ?? ''))
  }
  return names
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', 0: '\0', a: '\x07', e: '\x1b' }

/** What stands between quotes in a type's text, with its escapes resolved. */
function unescapeText(text: string): string {
  return text.replace(/\\(?:x([\dA-Fa-f]{2})|(.))/gs, (_match, code: string | undefined, character: string) =>
    code === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
