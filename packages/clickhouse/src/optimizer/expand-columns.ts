import { quoteName } from '../adapter/table-columns.ts'
import { type FoundRewrite, isNamedElsewhere } from './rewrite-rules.ts'
import { type Clause, columnName, isSign, isWord, itemsOf, type SelectLevel, type TakenApart, type TokenRange } from './select-clauses.ts'

/** A `*` that stands for all columns of one table. */
export interface Star {
  /** The table, as it is written. */
  readonly table: readonly string[]
  /** Where the `*` stands, with what it is qualified by. */
  readonly item: TokenRange
  readonly select: Clause
}

/** Every `*` that stands for the columns of a single table, by itself or among columns and named expressions. */
export function findStars(query: TakenApart): readonly Star[] {
  return query.levels.flatMap((level) => starsOf(query, level))
}

function starsOf({ tokens }: TakenApart, { clauses }: SelectLevel): readonly Star[] {
  const [select, from] = [clauses.get('SELECT'), clauses.get('FROM')]
  if (select === undefined || from === undefined) return []
  const source = tableOf({ tokens, from })
  const items = itemsOf(tokens, isWord(tokens[select.from], 'DISTINCT') ? { ...select, from: select.from + 1 } : select)
  if (source === null || isWord(tokens[select.from + 1], 'ON')) return []
  const stars = items.filter((item) => isStar({ tokens, item, alias: source.alias }))
  // One that is written twice gives every column twice; that is left to the server.
  const others = items.filter((item) => !stars.includes(item))
  const areKnown = others.every((item) => columnName(tokens, item) !== null || (isWord(tokens[item.to - 2], 'AS') && item.to - item.from > 2))
  return stars.length === 1 && areKnown ? [{ table: source.table, item: stars[0] as TokenRange, select }] : []
}

/** One table and nothing else: `table`, `database.table`, with or without an alias, `FINAL`. */
function tableOf({ tokens, from }: { tokens: TakenApart['tokens']; from: Clause }): { table: readonly string[]; alias: string } | null {
  const words = tokens.slice(from.from, from.to)
  if (isWord(words.at(-1), 'FINAL')) words.pop()
  const aliasAt = words.findIndex((token) => isWord(token, 'AS'))
  const named = aliasAt === -1 ? words : words.slice(0, aliasAt)
  const parts = named.filter((_token, index) => index % 2 === 0)
  const isName = named.length % 2 === 1 && named.length <= 3 && named.every((token, index) => (index % 2 === 1 ? isSign(token, '.') : token.kind === 'word' || token.kind === 'name'))
  if (!isName || (aliasAt !== -1 && words.length !== aliasAt + 2)) return null
  const table = parts.map((token) => (token.kind === 'name' ? token.value : token.text))
  const alias = aliasAt === -1 ? undefined : words.at(-1)
  return { table, alias: alias === undefined ? (table.at(-1) as string) : alias.kind === 'name' ? alias.value : alias.text }
}

function isStar({ tokens, item, alias }: { tokens: TakenApart['tokens']; item: TokenRange; alias: string }): boolean {
  const last = tokens[item.to - 1]
  if (!isSign(last, '*')) return false
  if (item.to - item.from === 1) return true
  const [qualifier, dot] = [tokens[item.from], tokens[item.from + 1]]
  return item.to - item.from === 3 && isSign(dot, '.') && (qualifier?.kind === 'name' ? qualifier.value : qualifier?.text) === alias
}

/** The columns in place of a `*`; null when one of their names means something else in the query. */
export function expandStar(query: TakenApart, { item, select }: Star, columns: readonly string[]): FoundRewrite | null {
  const isAmbiguous = columns.some((column) => isNamedElsewhere(query, select, column))
  if (columns.length === 0 || isAmbiguous) return null
  const start = query.tokens[item.from]?.start ?? 0
  const end = query.tokens[item.to - 1]?.end ?? 0
  const text = columns.map(quoteName).join(', ')
  const reason = 'the columns are those that the table has now: one that is added later changes neither the answer nor what it costs, and those that are not needed can be left out'
  return { rule: 'column-expansion', reason, before: query.text.slice(start, end), after: text, edits: [{ start, end, text }] }
}
