import type { Row } from '@smart-whale/interfaces'
import type { Data } from './query-data.ts'
import { fillRows } from './fill-rows.ts'
import { TYPES } from './query-data.ts'
import { type ConditionPlan, ELEMENTS, type OutputPlan, type QueryPlan } from './random-query.ts'

/** True, false, or null where SQL doesn't know. */
type Truth = boolean | null

/** What the server must answer, worked out row by row. */
export function workOutPlan(plan: QueryPlan, data: Data): Row[] {
  const rows = sourceRows(plan, data).filter((row) => plan.where.every((condition) => truthOf(condition, row, data) === true))
  const answered = plan.groupBy === null ? rows.map((row) => outputsOf(plan, row, [row], rows, data)) : groups(plan.groupBy, rows).filter((group) => plan.havingMoreThan === null || group.length > plan.havingMoreThan).map((group) => outputsOf(plan, group[0] ?? {}, group, rows, data))
  const distinct = plan.isDistinct ? [...new Map(answered.map((row) => [wordOf(Object.values(row)), row])).values()] : answered
  const all = plan.isDoubled ? [...distinct, ...distinct] : distinct
  const sorted = all.sort((left, right) => orderOf(plan, left, right))
  const filled = plan.gaps === null ? sorted : fillRows(sorted, { ...plan.gaps, ...filledAmong(plan, plan.gaps.at), carried: plan.carried, isDescending: plan.orders[plan.gaps.at] === 'desc', lack: lackOf(plan) })
  const from = plan.offset ?? 0
  return filled.slice(from, plan.limit === null ? undefined : from + plan.limit)
}

/** The outputs that are ordered by, and the place of the filled one among them. */
function filledAmong({ outputs, carried }: QueryPlan, at: number): { names: string[]; at: number } {
  const names = Object.keys(outputs).filter((name) => !Object.hasOwn(carried, name))
  return { names, at: names.indexOf(Object.keys(outputs)[at] as string) }
}

function sourceRows(plan: QueryPlan, data: Data): Row[] {
  const { from, join, arrays, sample } = plan
  const isSampled = ({ h }: Row): boolean => sample === null || ((h as number) >= sample.offset * 2 ** 32 && (h as number) < (sample.offset + sample.share) * 2 ** 32)
  const left = data.t.filter(isSampled).map((row) => named('t', row)).filter((row) => plan.prewhere === null || truthOf(plan.prewhere, row, data) === true).filter((row) => from.kind === 'table' || truthOf(from.where, row, data) === true)
  const before = arrays?.isBefore === true ? withElements(left, arrays) : left
  const joined = join === null ? before : joinRows(before, data.u.map((row) => named('u', row)), join)
  return arrays?.isBefore === false ? withElements(joined, arrays) : joined
}

const named = (alias: string, row: Row): Row => Object.fromEntries(Object.entries(row).map(([name, value]) => [`${alias}.${name}`, value]))

function joinRows(left: readonly Row[], right: readonly Row[], { kind, on }: NonNullable<QueryPlan['join']>): Row[] {
  const missing = named('u', Object.fromEntries(Object.keys(TYPES.u).map((name) => [name, null])))
  const arePartners = (row: Row, other: Row): boolean => row[on[0]] !== null && row[on[0]] === other[on[1]]
  if (kind === 'semi left' || kind === 'anti left') return left.filter((row) => right.some((other) => arePartners(row, other)) === (kind === 'semi left'))
  const found = left.flatMap((row) => {
    const partners = right.filter((other) => arePartners(row, other))
    return (partners.length === 0 && kind !== 'inner' ? [missing] : partners).map((other) => ({ ...row, ...other }))
  })
  if (kind !== 'full') return found
  return [...found, ...right.filter((other) => !left.some((row) => arePartners(row, other))).map((other) => ({ ...NO_LEFT, ...other }))]
}

/** A row of the right side alone: what the left one has of arrays is empty there. */
const NO_LEFT: Row = { ...named('t', Object.fromEntries(Object.keys(TYPES.t).map((name) => [name, null]))), 't.l': [], 't.n': [], 'e.e': null, 'x.x': null }

function withElements(rows: readonly Row[], { isLeft, names }: NonNullable<QueryPlan['arrays']>): Row[] {
  return rows.flatMap((row) => {
    const length = (row['t.l'] as unknown[]).length
    const places = length === 0 && isLeft ? [-1] : Array.from({ length }, (_, place) => place)
    return places.map((place) => ({ ...row, ...Object.fromEntries(names.map((name) => [`${name}.${name}`, (row[name === 'e' ? 't.l' : 't.n'] as unknown[])[place] ?? null])) }))
  })
}

/** What each output of a row holds that is put in. */
function lackOf(plan: QueryPlan): Row {
  return Object.fromEntries(Object.entries(plan.outputs).map(([name, output]) => [name, emptyOutput(plan, output)]))
}

function emptyOutput(plan: QueryPlan, output: OutputPlan): unknown {
  if (output.kind === 'countIf' || output.kind === 'rowNumber') return 0n
  if (output.kind === 'runningSum') return 0
  const isNull = mayBeNull(plan, output.column)
  if (output.kind === 'column') return isNull ? null : emptyOf(typeOf(output.column))
  if (output.aggregate === 'count' || output.aggregate === 'countDistinct') return 0n
  if (isNull) return null
  if (output.aggregate === 'avg') return 0
  if (output.aggregate === 'sum') return typeOf(output.column).startsWith('Float') ? 0 : 0n
  return emptyOf(typeOf(output.column))
}

const ALL_TYPES: Readonly<Record<string, Readonly<Record<string, string>>>> = { ...TYPES, e: ELEMENTS, x: ELEMENTS }

function typeOf(column: string): string {
  return ALL_TYPES[column.slice(0, 1)]?.[column.slice(2)] as string
}

function mayBeNull({ join, arrays }: QueryPlan, column: string): boolean {
  if (typeOf(column).startsWith('Nullable')) return true
  if (column.startsWith('u.')) return join?.kind === 'left' || join?.kind === 'full'
  return (join?.kind === 'full' && !(column.startsWith('e.') && arrays?.isBefore === false)) || (column.startsWith('e.') && arrays?.isLeft === true)
}

function groups(keys: readonly string[], rows: readonly Row[]): Row[][] {
  // Without a key there is one group, also of no rows.
  if (keys.length === 0) return [[...rows]]
  const found = new Map<string, Row[]>()
  for (const row of rows) {
    const key = wordOf(keys.map((name) => row[name]))
    found.set(key, [...(found.get(key) ?? []), row])
  }
  return [...found.values()]
}

function outputsOf(plan: QueryPlan, row: Row, group: readonly Row[], all: readonly Row[], data: Data): Row {
  return Object.fromEntries(Object.entries(plan.outputs).map(([name, output]) => [name, outputOf(plan, output, row, group, all, data)]))
}

function outputOf(plan: QueryPlan, output: OutputPlan, row: Row, group: readonly Row[], all: readonly Row[], data: Data): unknown {
  switch (output.kind) {
    case 'column':
      return row[output.column]
    case 'countIf':
      return BigInt(group.filter((one) => truthOf(output.when, one, data) === true).length)
    case 'aggregate':
      return aggregateOf(output.aggregate, output.column, group, plan)
    case 'rowNumber': {
      const partition = all.filter((one) => same(one[output.partition], row[output.partition]))
      const sorted = [...partition].sort((left, right) => compareNullsLast(left[output.order], right[output.order], output.direction) || compareNullsLast(left['t.id'], right['t.id'], 'asc'))
      return BigInt(sorted.indexOf(row) + 1)
    }
    case 'runningSum': {
      const sorted = all.filter((one) => same(one[output.partition], row[output.partition])).sort((left, right) => compareNullsLast(left['t.id'], right['t.id'], 'asc'))
      const at = sorted.indexOf(row)
      return sorted.slice(Math.max(0, at - output.preceding), at + output.following + 1).reduce((sum, one) => sum + (one['t.f'] as number), 0)
    }
  }
}

function aggregateOf(aggregate: string, column: string, group: readonly Row[], plan: QueryPlan): unknown {
  const values = group.map((row) => row[column]).filter((value) => value !== null)
  const type = typeOf(column)
  if (aggregate === 'count') return BigInt(values.length)
  if (aggregate === 'countDistinct') return BigInt(new Set(values.map((value) => wordOf([value]))).size)
  if (values.length === 0 && mayBeNull(plan, column)) return null
  if (aggregate === 'avg') return Number(type.startsWith('Float') ? values.reduce<number>((sum, value) => sum + (value as number), 0) : values.reduce<bigint>((sum, value) => sum + BigInt(value as number), 0n)) / values.length
  if (aggregate === 'sum') return type.startsWith('Float') ? values.reduce<number>((sum, value) => sum + (value as number), 0) : values.reduce<bigint>((sum, value) => sum + BigInt(value as number), 0n)
  if (values.length === 0) return emptyOf(type)
  return values.reduce((best, value) => (compare(value, best) < 0 === (aggregate === 'min') ? value : best))
}

/** What ClickHouse calls the least and the greatest of nothing. */
function emptyOf(type: string): unknown {
  if (type === 'Int64') return 0n
  if (type.includes('String')) return ''
  if (type === 'Date') return '1970-01-01'
  return type.startsWith('DateTime64') ? new Date(0) : 0
}

function truthOf(plan: ConditionPlan, row: Row, data: Data): Truth {
  switch (plan.kind) {
    case 'and':
      return plan.all.map((one) => truthOf(one, row, data)).reduce<Truth>((left, right) => (left === false || right === false ? false : left === null || right === null ? null : true), true)
    case 'or':
      return plan.all.map((one) => truthOf(one, row, data)).reduce<Truth>((left, right) => (left === true || right === true ? true : left === null || right === null ? null : false), false)
    case 'not': {
      const truth = truthOf(plan.of, row, data)
      return truth === null ? null : !truth
    }
    case 'null':
      return (row[plan.column] === null) !== plan.isNegated
    case 'list':
      return among(row[plan.column], plan.values, plan.isNegated)
    case 'query':
      return among(row[plan.column], keysOfU(plan.inner, data), plan.isNegated)
    case 'scalar':
      return compared(row[plan.column], plan.operator, keysOfU(plan.inner, data).reduce<unknown>((most, key, index) => (index === 0 || compare(key, most) > 0 ? key : most), 0n))
    case 'match':
      return matches(row[plan.column], plan.operator, plan.pattern)
    case 'columns':
      return compared(row[plan.column], plan.operator, row[plan.other])
    case 'compare':
      return compared(row[plan.column], plan.operator, plan.value)
  }
}

function keysOfU(condition: ConditionPlan, data: Data): unknown[] {
  return data.u.map((one) => named('u', one)).filter((one) => truthOf(condition, one, data) === true).map((one) => one['u.k'])
}

function among(value: unknown, values: readonly unknown[], isNegated: boolean): Truth {
  if (value === null) return null
  return values.some((other) => compare(value, other) === 0) !== isNegated
}

function matches(value: unknown, operator: string, pattern: string): Truth {
  if (value === null) return null
  const source = pattern.replace(/\\([%_\\])|([%_])|([^\w\s])/g, (_all, escaped: string | undefined, wild: string | undefined, other: string) => (escaped !== undefined ? `\\u${escaped.charCodeAt(0).toString(16).padStart(4, '0')}` : wild === '%' ? '[^]*' : wild === '_' ? '[^]' : `\\u${other.charCodeAt(0).toString(16).padStart(4, '0')}`))
  return new RegExp(`^${source}$`, operator === 'ilike' ? 'i' : '').test(value as string) !== (operator === 'not like')
}

function compared(left: unknown, operator: string, right: unknown): Truth {
  if (left === null || right === null) return null
  const order = compare(left, right)
  switch (operator) {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    default:
      return order >= 0
  }
}

function compare(left: unknown, right: unknown): number {
  const plain = (value: unknown): string | number | bigint => (value instanceof Date ? value.getTime() : (value as string | number | bigint))
  const [one, other] = [plain(left), plain(right)]
  return one < other ? -1 : one > other ? 1 : 0
}

function compareNullsLast(left: unknown, right: unknown, direction: 'asc' | 'desc'): number {
  if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1
  return direction === 'asc' ? compare(left, right) : compare(right, left)
}

function orderOf(plan: QueryPlan, left: Row, right: Row): number {
  for (const [index, name] of Object.keys(plan.outputs).entries()) {
    if (Object.hasOwn(plan.carried, name)) continue
    const order = compareNullsLast(left[name], right[name], plan.orders[index] as 'asc' | 'desc')
    if (order !== 0) return order
  }
  return 0
}

function same(left: unknown, right: unknown): boolean {
  return wordOf([left]) === wordOf([right])
}

function wordOf(values: readonly unknown[]): string {
  return JSON.stringify(values.map((value) => (typeof value === 'bigint' ? `${value}n` : value instanceof Date ? value.getTime() : value)))
}
