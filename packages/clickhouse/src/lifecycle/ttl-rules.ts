import { type CallOptions, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import { type SqlToken, sqlTokens } from '../sql-tokens.ts'
import { isDate } from './expire-data.ts'
import type { KeptTable } from './kept-table.ts'
import type { NewTtlRule, TtlChange, TtlRule } from './lifecycle-options.ts'

const DAY_SECONDS = 86_400

/** The TTLs in the statement that made a table, as the server writes it. */
export function readTtlRules(definition: string): TtlRule[] {
  const tokens = [...sqlTokens(definition)]
  const open = tokens.findIndex(({ text }) => text === '(')
  const close = endOfBrackets(tokens, open)
  const columns = splitAtCommas(tokens.slice(open + 1, close)).flatMap((column) => columnRule(definition, column))
  return [...columns, ...tableRules(definition, tokens.slice(close + 1))]
}

/** Words that begin something else than a column between the brackets. */
const NO_COLUMN = new Set(['INDEX', 'PROJECTION', 'CONSTRAINT', 'PRIMARY'])

function columnRule(definition: string, tokens: readonly SqlToken[]): TtlRule[] {
  const [name] = tokens
  const ttl = outsideOfBrackets(tokens, 'TTL')
  if (name === undefined || ttl === -1 || (name.kind === 'word' && NO_COLUMN.has(name.value))) return []
  const rest = tokens.slice(ttl + 1)
  const end = outsideOfBrackets(rest, 'SETTINGS')
  return [{ column: name.kind === 'name' ? name.value : name.text, expression: textOf(definition, end === -1 ? rest : rest.slice(0, end)) }]
}

function tableRules(definition: string, tokens: readonly SqlToken[]): TtlRule[] {
  const ttl = outsideOfBrackets(tokens, 'TTL')
  if (ttl === -1) return []
  const rest = tokens.slice(ttl + 1)
  const ends = ['SETTINGS', 'COMMENT'].map((word) => outsideOfBrackets(rest, word)).filter((at) => at !== -1)
  return splitAtCommas(rest.slice(0, Math.min(...ends, rest.length))).map((rule) => ({ column: null, expression: textOf(definition, rule) }))
}

function textOf(definition: string, tokens: readonly SqlToken[]): string {
  return definition.slice(tokens[0]?.start ?? 0, tokens.at(-1)?.end ?? 0)
}

function endOfBrackets(tokens: readonly SqlToken[], open: number): number {
  let depth = 0
  for (let at = open; at < tokens.length; at++) {
    if (tokens[at]?.text === '(') depth++
    else if (tokens[at]?.text === ')' && --depth === 0) return at
  }
  return tokens.length
}

function outsideOfBrackets(tokens: readonly SqlToken[], word: string): number {
  let depth = 0
  return tokens.findIndex(({ kind, text, value }) => {
    if (text === '(') depth++
    if (text === ')') depth--
    return depth === 0 && kind === 'word' && value === word
  })
}

function splitAtCommas(tokens: readonly SqlToken[]): SqlToken[][] {
  const pieces: SqlToken[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (token.text === '(') depth++
    if (token.text === ')') depth--
    if (depth === 0 && token.text === ',') pieces.push([])
    else pieces.at(-1)?.push(token)
  }
  return pieces.filter((piece) => piece.length > 0)
}

/** What a change of TTLs works on. */
export interface TtlTask {
  readonly adapter: ClickHouseAdapter
  readonly table: KeptTable
  readonly dryRun: boolean
  readonly materialize: boolean
  readonly call: CallOptions
}

/** Sets the TTL that deletes; those that move or compress stay. */
export async function setTtl(task: TtlTask, rule: NewTtlRule): Promise<TtlChange> {
  const { adapter, table, call } = task
  const expression = ttlExpression(table, rule)
  const moved = readTtlRules(table.definition).filter((other) => other.column === null && !deletes(other.expression))
  const what =
    rule.column === undefined
      ? `MODIFY TTL ${[...moved.map((other) => other.expression), expression].join(', ')}`
      : `MODIFY COLUMN ${quoteName(requireColumn(table, rule.column, 'column').name)} TTL ${expression}`
  const { rows } = await adapter.execute<{ n: bigint }>(`SELECT countIf(${expression} <= now()) AS n FROM ${table.quoted}`, {}, call)
  return change(task, [`ALTER TABLE ${table.quoted} ${what}`], rows[0]?.n ?? 0n)
}

/** Removes a TTL; nothing is done when there is none. */
export async function removeTtl(task: TtlTask, column: string | undefined): Promise<TtlChange> {
  const { table } = task
  if (column !== undefined) requireColumn(table, column, 'column')
  const has = readTtlRules(table.definition).some((rule) => rule.column === (column ?? null))
  const what = column === undefined ? 'REMOVE TTL' : `MODIFY COLUMN ${quoteName(column)} REMOVE TTL`
  return change(task, has ? [`ALTER TABLE ${table.quoted} ${what}`] : [], 0n)
}

async function change({ adapter, dryRun, materialize, call }: TtlTask, statements: readonly string[], expiredRows: bigint): Promise<TtlChange> {
  const settings = { materialize_ttl_after_modify: materialize, mutations_sync: materialize ? 2 : 0 }
  if (!dryRun) for (const statement of statements) await adapter.execute(statement, {}, { ...call, settings })
  return { dryRun, statements, expiredRows }
}

function ttlExpression(table: KeptTable, { dateColumn, afterSeconds }: NewTtlRule): string {
  const { name, type } = requireColumn(table, dateColumn, 'dateColumn')
  if (!isDate(type)) throw wrong('dateColumn', `must be a Date or DateTime column, "${name}" is ${type}`)
  if (!Number.isSafeInteger(afterSeconds) || afterSeconds <= 0) throw wrong('afterSeconds', `must be a whole number above 0, got ${String(afterSeconds)}`)
  // Of the others a TTL can't be made.
  const moment = /\bDate(?:32|Time64)\b/.test(type) ? `toDateTime(${quoteName(name)})` : quoteName(name)
  return afterSeconds % DAY_SECONDS === 0 ? `${moment} + toIntervalDay(${afterSeconds / DAY_SECONDS})` : `${moment} + toIntervalSecond(${afterSeconds})`
}

/** What is neither moved nor compressed nor summed up, under no condition. */
function deletes(expression: string): boolean {
  return ![...sqlTokens(expression)].some(({ kind, value }) => kind === 'word' && ['TO', 'RECOMPRESS', 'GROUP', 'WHERE'].includes(value))
}

function requireColumn(table: KeptTable, column: string, field: string): KeptTable['columns'][number] {
  const found = table.columns.find(({ name }) => name === column)
  if (found === undefined) throw wrong(field, `must be a column of "${table.name}", which has no "${column}"`)
  return found
}

function wrong(field: string, message: string): ValidationError {
  return new ValidationError(`${field} ${message}`, { issues: [{ path: [field], message }] })
}
