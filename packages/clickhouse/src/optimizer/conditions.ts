import type { SqlToken } from '../sql-tokens.ts'
import { depths, isSign, isWord, type TokenRange } from './select-clauses.ts'

/** Words that make what stands beside them something else than one of several conditions. */
const OTHER_THAN_AND = new Set(['OR', 'XOR', 'CASE', 'AS'])

/** The conditions that a clause holds all of; null when it isn't just that. */
export function conjunctsOf(tokens: readonly SqlToken[], range: TokenRange): TokenRange[] | null {
  const parts: TokenRange[] = []
  let from = range.from
  let betweens = 0
  for (const [index, depth] of depths(tokens, range)) {
    const token = tokens[index] as SqlToken
    if (depth !== 0) continue
    if ((token.kind === 'word' && OTHER_THAN_AND.has(token.value)) || isSign(token, '?')) return null
    if (isWord(token, 'BETWEEN')) betweens++
    else if (isWord(token, 'AND') && betweens > 0) betweens--
    else if (isWord(token, 'AND')) {
      parts.push({ from, to: index })
      from = index + 1
    }
  }
  const all = [...parts, { from, to: range.to }]
  return all.every((part) => part.from < part.to) ? all : null
}

/** Functions that give the same for the same, refuse nothing, and don't change how many rows there are. */
const SAFE_FUNCTIONS = new Set(['LENGTH', 'LOWER', 'UPPER', 'ABS', 'EMPTY', 'NOTEMPTY', 'ISNULL', 'ISNOTNULL', 'TOYEAR', 'TOMONTH', 'TOYYYYMM', 'TOSTARTOFDAY', 'TOSTARTOFHOUR', 'TOSTARTOFMONTH', 'STARTSWITH', 'ENDSWITH', 'COUNT', 'SUM', 'MIN', 'MAX', 'AVG'])
const KEY_WORDS = new Set(['AND', 'OR', 'NOT', 'IN', 'IS', 'NULL', 'BETWEEN', 'LIKE', 'ILIKE', 'TRUE', 'FALSE', 'GLOBAL'])
const SIGNS = new Set(['=', '<', '>', '!', '(', ')', ',', '.', '-', '+', ':', '{', '}', '$'])

/** Whether a condition is made of columns, values, comparisons and functions that are known to be harmless, so that it may be left out or be moved. */
export function isHarmless(tokens: readonly SqlToken[], { from, to }: TokenRange): boolean {
  for (let index = from; index < to; index++) {
    const token = tokens[index] as SqlToken
    if (token.kind === 'sign' && !SIGNS.has(token.text)) return false
    if (token.kind !== 'word') continue
    const isCalled = isSign(tokens[index + 1], '(') && index + 1 < to
    if (isCalled && !KEY_WORDS.has(token.value) && !SAFE_FUNCTIONS.has(token.value)) return false
    if (token.value === 'SELECT' || token.value === 'AS' || token.value === 'INTERVAL') return false
  }
  return true
}

/** Whether a condition is true whatever the row is. */
export function isAlwaysTrue(tokens: readonly SqlToken[], { from, to }: TokenRange): boolean {
  const text = tokens.slice(from, to).map((token) => (token.kind === 'word' ? token.value : token.text)).join('')
  return /^(?:1|TRUE|1=1|\(1\)|\(1=1\)|\(TRUE\))$/.test(text)
}

/** The columns that a harmless condition without any function compares with values; null when there is more to it. */
export function comparedColumns(tokens: readonly SqlToken[], range: TokenRange): readonly string[] | null {
  if (!isHarmless(tokens, range)) return null
  const columns: string[] = []
  for (let index = range.from; index < range.to; index++) {
    const token = tokens[index] as SqlToken
    if (isSign(token, '{') || isSign(token, '$') || isSign(token, ':')) {
      const end = endOfPlace(tokens, index)
      if (end === null || end > range.to) return null
      index = end - 1
    } else if (token.kind === 'word' && KEY_WORDS.has(token.value)) continue
    else if (token.kind === 'word' || token.kind === 'name') {
      if (isSign(tokens[index + 1], '(')) return null
      let name = nameOf(token)
      while (index + 2 < range.to && isSign(tokens[index + 1], '.')) {
        index += 2
        name += `.${nameOf(tokens[index] as SqlToken)}`
      }
      columns.push(name)
    }
  }
  return columns
}

const NEVER_PLAIN = new Set(['OR', 'XOR', 'CASE', 'NULL', 'TRUE', 'FALSE', 'SELECT'])
const COMPARING_WORDS = new Set(['IN', 'LIKE', 'ILIKE', 'BETWEEN'])

/**
 * Whether a condition compares a column or a count, and nothing else: so that the server can't know beforehand that it never holds. Beside one that it knows never to
 * hold, others are not even looked at, though they may be wrong.
 */
export function isPlainComparison(tokens: readonly SqlToken[], { from, to }: TokenRange): boolean {
  let [ands, comparisons, columns] = [0, 0, 0]
  for (let index = from; index < to; index++) {
    const token = tokens[index] as SqlToken
    if (token.kind === 'sign' && /^[=<>]$/.test(token.text)) comparisons++
    if (token.kind === 'name') columns++
    if (token.kind !== 'word') continue
    if (NEVER_PLAIN.has(token.value) || (token.value === 'NOT' && !COMPARING_WORDS.has(tokens[index + 1]?.value ?? ''))) return false
    if (token.value === 'AND') ands++
    if (token.value === 'BETWEEN') ands--
    if (COMPARING_WORDS.has(token.value)) comparisons++
    else if (token.value === 'COUNT' || (!KEY_WORDS.has(token.value) && !isSign(tokens[index + 1], '('))) columns++
  }
  return ands === 0 && comparisons > 0 && columns > 0
}

const nameOf = (token: SqlToken): string => JSON.stringify(token.kind === 'name' ? token.value : token.text)

/** Behind a bound value: `{name:Type}`, `:name`, `$1`. */
function endOfPlace(tokens: readonly SqlToken[], index: number): number | null {
  if (!isSign(tokens[index], '{')) return isSign(tokens[index + 1], ':') ? null : index + 2
  for (const [at, depth] of depths(tokens, { from: index, to: tokens.length })) if (depth === 0 && at > index) return at + 1
  return null
}
