/** A ClickHouse type, taken apart: `Map(String, Array(UInt8))` is a name with arguments. */
export interface ColumnType {
  readonly name: string
  /** Arguments that are types; a named tuple's elements without their names. */
  readonly inner: readonly ColumnType[]
  /** Arguments as they are written, for those that aren't types: precision, scale, time zone, enum entries. */
  readonly args: readonly string[]
  /** Names of a named tuple's elements; empty otherwise. */
  readonly names: readonly string[]
}

const HAS_TYPES = new Set(['Nullable', 'LowCardinality', 'Array', 'Map', 'Tuple', 'SimpleAggregateFunction'])

/** Takes apart what `system.columns` calls a type. Never throws: a text that is no type gives a name that nobody knows. */
export function parseColumnType(text: string): ColumnType {
  const open = text.indexOf('(')
  if (open === -1 || !text.endsWith(')')) return { name: text.trim(), inner: [], args: [], names: [] }
  const name = text.slice(0, open).trim()
  const args = splitArguments(text.slice(open + 1, -1))
  if (!HAS_TYPES.has(name)) return { name, inner: [], args, names: [] }
  const types = name === 'SimpleAggregateFunction' ? args.slice(1) : args
  const elements = types.map((type) => (name === 'Tuple' ? splitElement(type) : { name: '', type }))
  const named = elements.length > 0 && elements.every((element) => element.name !== '')
  return { name, inner: elements.map((element) => parseColumnType(element.type)), args, names: named ? elements.map((element) => element.name) : [] }
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
function splitElement(text: string): { name: string; type: string } {
  if (text.startsWith('`')) {
    const end = endOfQuote(text, 0)
    return { name: text.slice(1, end).replace(/\\(.)/g, '$1'), type: text.slice(end + 1).trim() }
  }
  const named = /^([A-Za-z_]\w*)\s+(?=[A-Z])/.exec(text)
  return named === null ? { name: '', type: text } : { name: named[1] ?? '', type: text.slice(named[0].length) }
}
