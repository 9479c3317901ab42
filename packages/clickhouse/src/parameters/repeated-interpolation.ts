import type { SqlToken } from '../sql-tokens.ts'

/** The name that an `INTERPOLATE (…)` has twice. ClickHouse 26.7 ends of that, with all that it was doing for others. */
export function repeatedInterpolation(tokens: readonly SqlToken[]): string | undefined {
  for (const [index, { kind, value }] of tokens.entries()) {
    if (kind !== 'word' || value !== 'INTERPOLATE' || tokens[index + 1]?.text !== '(') continue
    const repeated = repeatedName(tokens.slice(index + 2))
    if (repeated !== undefined) return repeated
  }
  return undefined
}

/** Of the items up to the bracket that closes: each begins with its name. */
function repeatedName(tokens: readonly SqlToken[]): string | undefined {
  const names = new Set<string>()
  let depth = 0
  let isFirst = true
  for (const { kind, text, value } of tokens) {
    if (text === ')' && depth === 0) return undefined
    if (isFirst) {
      const name = kind === 'name' ? value : text
      if (names.has(name)) return name
      names.add(name)
    }
    isFirst = text === ',' && depth === 0
    if (text === '(' || text === '[' || text === '{') depth += 1
    else if (text === ')' || text === ']' || text === '}') depth -= 1
  }
  return undefined
}
