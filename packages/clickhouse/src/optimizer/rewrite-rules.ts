import type { SqlToken } from '../sql-tokens.ts'
import { comparedColumns, conjunctsOf, isAlwaysTrue, isHarmless, isPlainComparison } from './conditions.ts'
import { type Clause, type ClauseName, columnName, isWord, itemsOf, type SelectLevel, type TakenApart, type TokenRange, wordsOf } from './select-clauses.ts'

/** Names of the rewrites. */
export type RewriteRule = 'repeated-condition' | 'constant-condition' | 'repeated-key' | 'having-to-where' | 'distinct-groups' | 'order-in-set' | 'distinct-in-set' | 'column-expansion'

/** A change of a query's text that leaves its rows as they are. */
export interface Rewrite {
  readonly rule: RewriteRule
  /** Why the rows stay the same, and what is gained. */
  readonly reason: string
  /** What stood there. */
  readonly before: string
  /** What stands there now. */
  readonly after: string
}

/** A piece of text in place of another. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** A rewrite and the edits that make it. */
export interface FoundRewrite extends Rewrite {
  readonly edits: readonly Edit[]
}

type FindRewrite = (query: TakenApart, level: SelectLevel) => FoundRewrite | null

const RULES: readonly FindRewrite[] = [constantCondition, repeatedCondition, repeatedKey, havingToWhere, distinctGroups, orderInSet, distinctInSet]

/** The first rewrite that is to be had; null when there is none. */
export function findRewrite(query: TakenApart): FoundRewrite | null {
  for (const level of query.levels) {
    for (const rule of RULES) {
      const found = rule(query, level)
      if (found !== null) return found
    }
  }
  return null
}

const CONDITIONS: readonly ClauseName[] = ['PREWHERE', 'WHERE', 'HAVING']

function constantCondition(query: TakenApart, level: SelectLevel): FoundRewrite | null {
  const reason = 'a condition that holds for every row keeps every row'
  return inConditions(query, level, (conjuncts, clause) => {
    const place = conjuncts.findIndex((part) => isAlwaysTrue(query.tokens, part))
    return place === -1 ? null : withoutConjunct(query, clause, conjuncts, place, 'constant-condition', reason)
  })
}

function repeatedCondition(query: TakenApart, level: SelectLevel): FoundRewrite | null {
  const reason = 'what must hold twice must hold once; it is not worked out again'
  return inConditions(query, level, (conjuncts, clause) => {
    const words = conjuncts.map((part) => wordsOf(query.tokens, part))
    const place = words.findIndex((word, index) => words.indexOf(word) < index && isHarmless(query.tokens, conjuncts[index] as TokenRange))
    return place === -1 ? null : withoutConjunct(query, clause, conjuncts, place, 'repeated-condition', reason)
  })
}

function inConditions(query: TakenApart, { clauses }: SelectLevel, find: (conjuncts: readonly TokenRange[], clause: Clause) => FoundRewrite | null): FoundRewrite | null {
  for (const name of CONDITIONS) {
    const clause = clauses.get(name)
    const conjuncts = clause === undefined ? null : conjunctsOf(query.tokens, clause)
    // A constant condition behind HAVING alone makes a query one of groups.
    const isNeeded = name === 'HAVING' && conjuncts?.length === 1
    const found = clause === undefined || conjuncts === null || isNeeded ? null : find(conjuncts, clause)
    if (found !== null) return found
  }
  return null
}

function repeatedKey(query: TakenApart, { clauses }: SelectLevel): FoundRewrite | null {
  for (const name of ['GROUP', 'ORDER'] as const) {
    const clause = clauses.get(name)
    if (clause === undefined) continue
    const items = itemsOf(query.tokens, clause)
    const columns = items.map((item) => columnName(query.tokens, name === 'ORDER' ? withoutDirection(query.tokens, item) : item))
    const place = columns.findIndex((column, index) => column !== null && columns.indexOf(column) < index)
    if (place === -1 || columns.includes(null)) continue
    const reason = name === 'GROUP' ? 'rows that are alike in a column are alike in it again' : 'rows that are in order by a column are equal in it where a later key decides'
    return remove(query, { start: endOf(query, items[place - 1] as TokenRange), end: endOf(query, items[place] as TokenRange) }, 'repeated-key', reason)
  }
  return null
}

function withoutDirection(tokens: readonly SqlToken[], { from, to }: TokenRange): TokenRange {
  const last = tokens[to - 1]
  return { from, to: isWord(last, 'ASC') || isWord(last, 'DESC') ? to - 1 : to }
}

function havingToWhere(query: TakenApart, { clauses }: SelectLevel): FoundRewrite | null {
  const { tokens } = query
  const [group, having, where, from, select] = [clauses.get('GROUP'), clauses.get('HAVING'), clauses.get('WHERE'), clauses.get('FROM'), clauses.get('SELECT')]
  if (group === undefined || having === undefined || from === undefined || select === undefined) return null
  const keys = plainKeys(query, group, select)
  const conjuncts = keys === null ? null : conjunctsOf(tokens, having)
  if (keys === null || conjuncts === null || !hasRowsOfItsOwn(tokens, from) || !conjuncts.every((part) => isPlainComparison(tokens, part))) return null
  const place = conjuncts.findIndex((part) => {
    const columns = comparedColumns(tokens, part)
    return columns !== null && columns.length > 0 && columns.every((column) => keys.has(column))
  })
  if (place === -1) return null
  const moved = textOf(query, conjuncts[place] as TokenRange)
  const removed = withoutConjunct(query, having, conjuncts, place, 'having-to-where', 'a condition on what is grouped by keeps or drops a whole group: its rows are dropped before they are grouped')
  return { ...removed, edits: [...addCondition(query, where, group, moved), ...removed.edits], after: `WHERE ${moved}` }
}

function addCondition(query: TakenApart, where: Clause | undefined, group: Clause, condition: string): Edit[] {
  if (where === undefined) return [insert(query.tokens[group.head]?.start ?? 0, `WHERE ${condition} `)]
  const start = query.tokens[where.from]?.start ?? 0
  return [insert(start, '('), insert(endOf(query, where), `) AND ${condition}`)]
}

/** Behind `ARRAY JOIN`, a name means an element of the column, in each clause alike; `SAMPLE` and `FINAL` don't matter. */
function hasRowsOfItsOwn(tokens: readonly SqlToken[], from: Clause): boolean {
  return !tokens.slice(from.from, from.to).some((token) => isWord(token, 'ARRAY'))
}

/** The columns that a query groups by, when it is just by columns, and none of their names is given to anything else. */
function plainKeys(query: TakenApart, group: Clause, select: Clause): ReadonlySet<string> | null {
  const columns = itemsOf(query.tokens, group).map((item) => columnName(query.tokens, item))
  if (columns.includes(null)) return null
  const names = new Set(columns as string[])
  const ends = new Set([...names].map((name) => name.split('.').at(-1) as string))
  return [...ends].some((name) => isGivenElsewhere(query, select, name)) ? null : names
}

/** Whether a name is given to an expression, with `AS` anywhere, or without in this select. */
function isGivenElsewhere({ tokens }: TakenApart, select: Clause, name: string): boolean {
  const isName = (token: SqlToken | undefined): boolean => (token?.kind === 'word' || token?.kind === 'name') && JSON.stringify(token.kind === 'name' ? token.value : token.text) === name
  if (tokens.some((token, index) => isWord(token, 'AS') && isName(tokens[index + 1]))) return true
  return itemsOf(tokens, select).some((item) => isName(tokens[item.to - 1]) && columnName(tokens, withoutDistinct(tokens, item)) === null)
}

function withoutDistinct(tokens: readonly SqlToken[], item: TokenRange): TokenRange {
  return isWord(tokens[item.from], 'DISTINCT') ? { ...item, from: item.from + 1 } : item
}

function distinctGroups(query: TakenApart, { clauses }: SelectLevel): FoundRewrite | null {
  const { tokens } = query
  const [group, select] = [clauses.get('GROUP'), clauses.get('SELECT')]
  if (group === undefined || select === undefined || !isPlainDistinct(tokens, select)) return null
  const keys = plainKeys(query, group, select)
  const selected = new Set(itemsOf(tokens, { ...select, from: select.from + 1 }).map((item) => columnName(tokens, item)))
  if (keys === null || ![...keys].every((key) => selected.has(key)) || multipliesRows(tokens, select)) return null
  return withoutWord(query, select.from, 'distinct-groups', 'groups differ in what they are grouped by, and all of that is selected: no two rows are alike')
}

function isPlainDistinct(tokens: readonly SqlToken[], select: Clause): boolean {
  return isWord(tokens[select.from], 'DISTINCT') && !isWord(tokens[select.from + 1], 'ON')
}

function multipliesRows(tokens: readonly SqlToken[], { from, to }: TokenRange): boolean {
  return tokens.slice(from, to).some((token) => /^(?:ARRAYJOIN|UNNEST)$/.test(token.value))
}

const ENDS: readonly ClauseName[] = ['LIMIT', 'OFFSET', 'SETTINGS', 'FORMAT', 'INTO']

function orderInSet(query: TakenApart, { clauses, isBehindIn }: SelectLevel): FoundRewrite | null {
  const order = clauses.get('ORDER')
  if (!isBehindIn || order === undefined || ENDS.some((name) => clauses.has(name))) return null
  const isPlain = itemsOf(query.tokens, order).every((item) => columnName(query.tokens, withoutDirection(query.tokens, item)) !== null)
  const start = endOf(query, { from: order.head - 1, to: order.head })
  return isPlain ? remove(query, { start, end: endOf(query, order) }, 'order-in-set', 'whether a value is in a set does not depend on its order: nothing needs to be sorted') : null
}

function distinctInSet(query: TakenApart, { clauses, isBehindIn }: SelectLevel): FoundRewrite | null {
  const select = clauses.get('SELECT')
  if (!isBehindIn || select === undefined || ENDS.some((name) => clauses.has(name)) || !isPlainDistinct(query.tokens, select)) return null
  return withoutWord(query, select.from, 'distinct-in-set', 'a set holds each value once anyhow: nothing needs to be made distinct before')
}

// ------------------------------------------------------------------ text

function withoutConjunct(query: TakenApart, clause: Clause, conjuncts: readonly TokenRange[], place: number, rule: RewriteRule, reason: string): FoundRewrite {
  const part = conjuncts[place] as TokenRange
  if (conjuncts.length === 1) {
    const start = endOf(query, { from: clause.head - 1, to: clause.head })
    return remove(query, { start, end: endOf(query, clause) }, rule, reason)
  }
  const next = conjuncts[place + 1]
  if (next !== undefined) return remove(query, { start: query.tokens[part.from]?.start ?? 0, end: query.tokens[next.from]?.start ?? 0 }, rule, reason)
  return remove(query, { start: endOf(query, conjuncts[place - 1] as TokenRange), end: endOf(query, part) }, rule, reason)
}

function withoutWord(query: TakenApart, index: number, rule: RewriteRule, reason: string): FoundRewrite {
  return remove(query, { start: query.tokens[index]?.start ?? 0, end: query.tokens[index + 1]?.start ?? 0 }, rule, reason)
}

function remove({ text }: TakenApart, { start, end }: { start: number; end: number }, rule: RewriteRule, reason: string): FoundRewrite {
  return { rule, reason, before: text.slice(start, end).trim(), after: '', edits: [{ start, end, text: '' }] }
}

const insert = (at: number, text: string): Edit => ({ start: at, end: at, text })

function endOf({ tokens }: TakenApart, range: TokenRange): number {
  return tokens[range.to - 1]?.end ?? 0
}

function textOf({ text, tokens }: TakenApart, range: TokenRange): string {
  return text.slice(tokens[range.from]?.start ?? 0, tokens[range.to - 1]?.end ?? 0)
}

/** Makes the edits, which don't overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = text
  for (const edit of [...edits].sort((left, right) => right.start - left.start)) result = result.slice(0, edit.start) + edit.text + result.slice(edit.end)
  return result
}

/** Whether a column's name is given to an expression, so that the bare name would mean that. */
export function isNamedElsewhere(query: TakenApart, select: Clause, column: string): boolean {
  return isGivenElsewhere(query, select, JSON.stringify(column))
}
