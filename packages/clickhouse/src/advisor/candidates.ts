import { quoteName } from '../adapter/table-columns.ts'
import type { TableShape } from '../migrations/table-shape.ts'
import type { LoggedQuestion } from './logged-questions.ts'
import { questionParts } from './question-parts.ts'

/** A change of a table that may help questions. */
export interface Candidate {
  readonly kind: 'order-by' | 'projection' | 'skip-index' | 'codec' | 'rollup'
  /** What it is, in a few words. */
  readonly what: string
  /** The table's shape with it; for a rollup that of the rollup's table. */
  readonly shape: TableShape
  /** Statements that make it. */
  readonly ddl: readonly string[]
  /** Column whose size it changes. */
  readonly column?: string
  /** Of a rollup: what fills it, from a table by name, and the question asked of it. */
  readonly rollup?: { readonly fill: (from: string) => string; readonly ask: (from: string) => string }
}

const MOST_KEYS = 3
const INDEX_TYPES: Readonly<Record<string, string>> = { equals: 'bloom_filter(0.01)', range: 'minmax', text: 'ngrambf_v1(4, 8192, 3, 0)' }

/** What might help one question about one table. */
export function candidatesFor(question: LoggedQuestion, table: string, shape: TableShape): Candidate[] {
  const parts = questionParts(question.query)
  const filters = parts.filters.filter(({ column }) => column in shape.columns)
  const ordered = [...filters.filter(({ kind }) => kind === 'equals'), ...filters.filter(({ kind }) => kind === 'range')].map(({ column }) => column)
  const keys = [...new Set(ordered)].slice(0, MOST_KEYS)
  const key = shape.clauses['ORDER BY'] ?? ''
  const candidates: Candidate[] = []
  if (keys.length > 0 && !startsWith(key, keys)) candidates.push(orderBy(table, shape, keys, key), projection(table, shape, keys))
  for (const { column, kind } of filters) {
    const type = INDEX_TYPES[kind]
    if (type !== undefined && !key.includes(column)) candidates.push(skipIndex(table, shape, column, type))
  }
  const rollup = rollupOf(table, shape, parts)
  return rollup === null ? candidates : [...candidates, rollup]
}

/** Codecs for columns that have none, by what they hold. */
export function codecCandidates(table: string, shape: TableShape): Candidate[] {
  return Object.entries(shape.columns).flatMap(([column, text]) => {
    const codec = codecFor(text)
    if (codec === null) return []
    const changed = `${text} CODEC(${codec})`
    return [{ kind: 'codec' as const, what: `${column} CODEC(${codec})`, column, shape: { ...shape, columns: { ...shape.columns, [column]: changed } }, ddl: [`ALTER TABLE ${table} MODIFY COLUMN ${quoteName(column)} ${changed}`] }]
  })
}

function codecFor(text: string): string | null {
  if (/\b(?:CODEC|ALIAS|EPHEMERAL|TTL|COMMENT)\b/.test(text)) return null
  if (/^(?:Date|DateTime)/.test(text)) return 'DoubleDelta, ZSTD(1)'
  if (/^U?Int(?:16|32|64)\b/.test(text)) return 'T64, ZSTD(1)'
  if (/^Float(?:32|64)\b/.test(text)) return 'Gorilla, ZSTD(1)'
  return /^(?:String|Nullable\(String|JSON)/.test(text) ? 'ZSTD(3)' : null
}

const startsWith = (key: string, keys: readonly string[]): boolean => keys.every((column, index) => key.replace(/[()`]/g, '').split(',').map((part) => part.trim())[index] === column)

function orderBy(table: string, shape: TableShape, keys: readonly string[], key: string): Candidate {
  const rest = key.replace(/^\(|\)$/g, '').split(/,(?![^(]*\))/).map((part) => part.trim()).filter((part) => part !== '' && part !== 'tuple()' && part !== 'tuple(' && !keys.includes(part.replace(/`/g, '')))
  const order = `(${[...keys.map(quoteName), ...rest].join(', ')})`
  const { 'PRIMARY KEY': _primary, ...clauses } = shape.clauses
  const copy = table.replace(/`$/, '_reordered`')
  const engine = [`ENGINE = ${shape.engine ?? 'MergeTree'}`, clauses['PARTITION BY'] === undefined ? '' : `PARTITION BY ${clauses['PARTITION BY']}`, `ORDER BY ${order}`, clauses.TTL === undefined ? '' : `TTL ${clauses.TTL}`].filter((part) => part !== '').join(' ')
  return { kind: 'order-by', what: `ORDER BY ${order}`, shape: { ...shape, clauses: { ...clauses, 'ORDER BY': order } }, ddl: [`CREATE TABLE ${copy} AS ${table} ${engine}`, `INSERT INTO ${copy} SELECT * FROM ${table}`, `EXCHANGE TABLES ${table} AND ${copy}`] }
}

function projection(table: string, shape: TableShape, keys: readonly string[]): Candidate {
  const name = quoteName(`by_${keys.join('_').replace(/\W/g, '_')}`)
  const text = `(SELECT * ORDER BY ${keys.map(quoteName).join(', ')})`
  return { kind: 'projection', what: `PROJECTION ${text}`, shape: { ...shape, parts: { ...shape.parts, [`PROJECTION ${name.replaceAll('`', '')}`]: text } }, ddl: [`ALTER TABLE ${table} ADD PROJECTION ${name} ${text}`, `ALTER TABLE ${table} MATERIALIZE PROJECTION ${name}`] }
}

function skipIndex(table: string, shape: TableShape, column: string, type: string): Candidate {
  const name = `by_${column.replace(/\W/g, '_')}`
  const text = `${quoteName(column)} TYPE ${type} GRANULARITY 1`
  return { kind: 'skip-index', what: `INDEX ${column} ${type}`, shape: { ...shape, parts: { ...shape.parts, [`INDEX ${name}`]: text } }, ddl: [`ALTER TABLE ${table} ADD INDEX ${quoteName(name)} ${text}`, `ALTER TABLE ${table} MATERIALIZE INDEX ${quoteName(name)}`] }
}

const AGGREGATE = /^(?<name>count|sum|min|max|avg|uniq)\s*\((?<argument>[^()]*)\)(?:\s+AS\s+(?<alias>\w+))?$/i
const GROUP = /^(?<expression>.+?)(?:\s+AS\s+(?<alias>\w+))?$/i

/** A table of groups, kept by a view, for a question that groups the whole table by expressions and filters by none but those. */
function rollupOf(table: string, shape: TableShape, { select, groupBy, where, isPlain }: ReturnType<typeof questionParts>): Candidate | null {
  if (!isPlain || groupBy.length === 0 || where !== '') return null
  const aggregates = select.flatMap((item) => (AGGREGATE.exec(item) === null ? [] : [AGGREGATE.exec(item)?.groups ?? {}]))
  const groups = select.filter((item) => AGGREGATE.exec(item) === null).map((item) => GROUP.exec(item)?.groups ?? {})
  const isCovered = groupBy.every((key) => groups.some(({ expression, alias }) => key === alias || key === expression))
  if (!isCovered || groups.length !== groupBy.length || aggregates.length === 0) return null
  const keyOf = (index: number): string => `k${index}`
  const keys = groups.map(({ expression = '' }, index) => `${expression} AS ${keyOf(index)}`)
  const states = aggregates.map(({ name = '', argument = '' }, index) => `${name.toLowerCase()}State(${argument.trim() === '*' ? '' : argument}) AS s${index}`)
  const fill = (from: string): string => `SELECT ${[...keys, ...states].join(', ')} FROM ${from} GROUP BY ${groups.map((_group, index) => keyOf(index)).join(', ')}`
  const ask = (from: string): string =>
    `SELECT ${[...groups.map(({ alias, expression = '' }, index) => `${keyOf(index)} AS ${alias ?? quoteName(expression)}`), ...aggregates.map(({ name = '', alias, argument = '' }, index) => `${name.toLowerCase()}Merge(s${index}) AS ${alias ?? quoteName(`${name}(${argument})`)}`)].join(', ')} FROM ${from} GROUP BY ${groups.map((_group, index) => keyOf(index)).join(', ')}`
  const base = table.replace(/`$/, '')
  const [target, view] = [`${base}_rollup\``, `${base}_to_rollup\``]
  return {
    kind: 'rollup',
    what: `rollup by ${groups.map(({ expression = '' }) => expression).join(', ')}`,
    shape,
    ddl: [
      `CREATE TABLE ${target} ENGINE = AggregatingMergeTree ORDER BY (${groups.map((_group, index) => keyOf(index)).join(', ')}) SETTINGS allow_nullable_key = 1 EMPTY AS ${fill(table)}`,
      `CREATE MATERIALIZED VIEW ${view} TO ${target} AS ${fill(table)}`,
      `INSERT INTO ${target} ${fill(table)}`,
    ],
    rollup: { fill, ask },
  }
}
