import { type SqlToken, sqlTokens } from '../sql-tokens.ts'

/** A table, view or dictionary, taken apart by what can be changed of it by itself; every text as the server writes it. */
export interface TableShape {
  /** `TABLE`, `VIEW`, `MATERIALIZED VIEW`, `DICTIONARY` and the like. */
  readonly kind: string
  /** With its arguments: `ReplacingMergeTree(version)`; null for what has none. */
  readonly engine: string | null
  /** What stands behind each column's name: type, default, codec, TTL, comment. In the table's order. */
  readonly columns: Readonly<Record<string, string>>
  /** Skip indexes, projections and constraints: `INDEX by_user` to what stands behind the name. */
  readonly parts: Readonly<Record<string, string>>
  /** What stands behind `PARTITION BY`, `PRIMARY KEY`, `ORDER BY`, `SAMPLE BY`, `TTL`, `COMMENT`. */
  readonly clauses: Readonly<Record<string, string>>
  readonly settings: Readonly<Record<string, string>>
  /** The query of a view; null for what has none. */
  readonly query: string | null
  /** Table that a materialized view writes into, as it is named behind `TO`; null for what has none. */
  readonly target: string | null
}

const PART_WORDS = new Set(['INDEX', 'PROJECTION', 'CONSTRAINT'])
/** Words that begin a clause behind the engine, and the words that follow them. */
const CLAUSES: readonly (readonly string[])[] = [['PARTITION', 'BY'], ['PRIMARY', 'KEY'], ['ORDER', 'BY'], ['SAMPLE', 'BY'], ['TTL'], ['SETTINGS'], ['COMMENT']]

/** Takes the text apart that `system.tables` has as `create_table_query`. */
export function shapeOf(definition: string): TableShape {
  const tokens = [...sqlTokens(definition)]
  const outer = outside(tokens)
  const slice = (from: SqlToken | undefined, before: SqlToken | undefined): string => (from === undefined ? '' : definition.slice(from.start, before?.start ?? definition.length).trim())
  const queryAt = outer.findIndex(({ kind, value }, index) => kind === 'word' && value === 'AS' && /^(?:SELECT|WITH|\()$/.test(outer[index + 1]?.value ?? ''))
  const head = queryAt === -1 ? outer : outer.slice(0, queryAt)
  const end = queryAt === -1 ? undefined : outer[queryAt]
  const engineAt = head.findIndex(({ kind, value }) => kind === 'word' && value === 'ENGINE')
  const clauseStarts = clauseBegins(engineAt === -1 ? [] : head.slice(engineAt))
  const clauses: Record<string, string> = {}
  for (const [index, { name, first }] of clauseStarts.entries()) clauses[name] = slice(first, clauseStarts[index + 1]?.at ?? end)
  const { SETTINGS: settings = '', ...others } = clauses
  const engineFrom = engineAt === -1 ? undefined : head.slice(engineAt + 1).find(({ text }) => text !== '=')
  const targetAt = head.findIndex(({ kind, value }) => kind === 'word' && value === 'TO')
  return {
    kind: kindOf(head),
    engine: engineFrom === undefined ? null : slice(engineFrom, clauseStarts[0]?.at ?? end),
    ...listOf(definition, tokens, head),
    clauses: others,
    settings: settingsOf(settings),
    query: queryAt === -1 ? null : slice(outer[queryAt + 1], undefined),
    target: targetAt === -1 || engineAt !== -1 ? null : nameAt(head, targetAt + 1),
  }
}

/** Tokens that lie in no bracket; of brackets, the opening one. */
function outside(tokens: readonly SqlToken[]): SqlToken[] {
  let depth = 0
  return tokens.filter(({ text }) => {
    if (text === ')' || text === ']') depth -= 1
    const isOutside = depth === 0 && text !== ')' && text !== ']'
    if (text === '(' || text === '[') depth += 1
    return isOutside
  })
}

function kindOf(head: readonly SqlToken[]): string {
  const words: string[] = []
  for (const { kind, value } of head.slice(1)) {
    if (kind !== 'word' || !/^(?:MATERIALIZED|LIVE|WINDOW|VIEW|TABLE|DICTIONARY)$/.test(value)) break
    words.push(value)
    if (value === 'VIEW' || value === 'TABLE' || value === 'DICTIONARY') break
  }
  return words.join(' ')
}

function clauseBegins(tokens: readonly SqlToken[]): { name: string; at: SqlToken; first: SqlToken | undefined }[] {
  return tokens.flatMap((token, index) => {
    const clause = token.kind === 'word' ? CLAUSES.find((words) => words.every((word, offset) => tokens[index + offset]?.value === word)) : undefined
    return clause === undefined ? [] : [{ name: clause.join(' '), at: token, first: tokens[index + clause.length] }]
  })
}

/** Columns and their company: what stands in the first bracket, cut at its own commas. */
function listOf(definition: string, tokens: readonly SqlToken[], head: readonly SqlToken[]): Pick<TableShape, 'columns' | 'parts'> {
  const columns: Record<string, string> = {}
  const parts: Record<string, string> = {}
  const open = head.find(({ text }, index) => text === '(' && !head.slice(0, index).some(({ value, kind }) => kind === 'word' && value === 'ENGINE'))
  if (open === undefined) return { columns, parts }
  for (const item of itemsOf(tokens.slice(tokens.indexOf(open) + 1))) {
    const [first, second] = item.tokens
    const isPart = first?.kind === 'word' && PART_WORDS.has(first.value)
    const behind = isPart ? second : first
    if (first === undefined || behind === undefined) continue
    const text = definition.slice(behind.end, item.end).trim()
    if (isPart) parts[`${first.value} ${plain(behind)}`] = text
    else columns[plain(behind)] = text
  }
  return { columns, parts }
}

const plain = ({ kind, text, value }: SqlToken): string => (kind === 'name' ? value : text)

function itemsOf(tokens: readonly SqlToken[]): { tokens: SqlToken[]; end: number }[] {
  const items: { tokens: SqlToken[]; end: number }[] = [{ tokens: [], end: 0 }]
  let depth = 0
  for (const token of tokens) {
    const item = items.at(-1) as { tokens: SqlToken[]; end: number }
    if (token.text === '(') depth += 1
    if (token.text === ')') depth -= 1
    if (depth < 0) break
    if (token.text === ',' && depth === 0) items.push({ tokens: [], end: 0 })
    else {
      item.tokens.push(token)
      item.end = token.end
    }
  }
  return items
}

function settingsOf(text: string): Record<string, string> {
  const items = itemsOf([...sqlTokens(text)])
  return Object.fromEntries(
    items.flatMap(({ tokens: [name, , first], end }) => (name === undefined || first === undefined ? [] : [[name.text, text.slice(first.start, end)]])),
  )
}

function nameAt(tokens: readonly SqlToken[], index: number): string {
  const [first, dot, second] = tokens.slice(index)
  if (first === undefined) return ''
  return dot?.text === '.' && second !== undefined ? `${first.text}.${second.text}` : first.text
}
