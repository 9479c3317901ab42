import type { Choices } from './choices.ts'
import { TYPES, valueFor } from './query-data.ts'

/** A condition, as data. */
export type ConditionPlan =
  | { readonly kind: 'compare'; readonly column: string; readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>='; readonly value: unknown }
  | { readonly kind: 'columns'; readonly column: string; readonly operator: '=' | '<'; readonly other: string }
  | { readonly kind: 'list'; readonly column: string; readonly isNegated: boolean; readonly values: readonly unknown[] }
  | { readonly kind: 'query'; readonly column: string; readonly isNegated: boolean; readonly inner: ConditionPlan }
  | { readonly kind: 'scalar'; readonly column: string; readonly operator: '=' | '<' | '>='; readonly inner: ConditionPlan }
  | { readonly kind: 'match'; readonly column: string; readonly operator: 'like' | 'not like' | 'ilike'; readonly pattern: string }
  | { readonly kind: 'null'; readonly column: string; readonly isNegated: boolean }
  | { readonly kind: 'and' | 'or'; readonly all: readonly ConditionPlan[] }
  | { readonly kind: 'not'; readonly of: ConditionPlan }

/** An output, as data. */
export type OutputPlan =
  | { readonly kind: 'column'; readonly column: string }
  | { readonly kind: 'aggregate'; readonly aggregate: 'count' | 'sum' | 'min' | 'max' | 'avg' | 'countDistinct'; readonly column: string }
  | { readonly kind: 'countIf'; readonly when: ConditionPlan }
  | { readonly kind: 'rowNumber'; readonly partition: string; readonly order: string; readonly direction: 'asc' | 'desc' }
  | { readonly kind: 'runningSum'; readonly partition: string; readonly preceding: number; readonly following: number }

/** A query, as data: built for the server by one hand, worked out in plain code by another. */
export interface QueryPlan {
  /** Where the rows of `t` come from: the table, or a query over it that keeps some. */
  readonly from: { readonly kind: 'table' } | { readonly kind: 'subquery' | 'common'; readonly where: ConditionPlan }
  /** Where of all the rows of the table a share of them begins, and how large it is. */
  readonly sample: { readonly share: number; readonly offset: number } | null
  readonly join: { readonly kind: 'inner' | 'left' | 'full' | 'semi left' | 'anti left'; readonly on: readonly [string, string] } | null
  /** Arrays whose elements are joined, `e` of the texts and `x` of the numbers, before the other join or behind it. */
  readonly arrays: { readonly isLeft: boolean; readonly isBefore: boolean; readonly names: readonly ('e' | 'x')[] } | null
  /** Of the table alone. */
  readonly prewhere: ConditionPlan | null
  readonly where: readonly ConditionPlan[]
  readonly outputs: Readonly<Record<string, OutputPlan>>
  readonly groupBy: readonly string[] | null
  readonly havingMoreThan: number | null
  readonly isDistinct: boolean
  readonly isDoubled: boolean
  readonly orders: readonly ('asc' | 'desc')[]
  /** Which output's gaps are filled, by its place, and how. */
  readonly gaps: { readonly at: number; readonly isDay: boolean; readonly from: number | null; readonly to: number | null; readonly step: number } | null
  /** Outputs that keep their value in rows that are put in, or grow by three in each; they are no part of the order. */
  readonly carried: Readonly<Record<string, 'keep' | 'grow'>>
  readonly limit: number | null
  readonly offset: number | null
}

/** ClickHouse's types of all columns, by their names with their source's. */
export type Scope = Readonly<Record<string, string>>

const T_SCOPE: Scope = Object.fromEntries(Object.entries(TYPES.t).map(([name, type]) => [`t.${name}`, type]))
const U_SCOPE: Scope = Object.fromEntries(Object.entries(TYPES.u).map(([name, type]) => [`u.${name}`, type]))
/** 2001-01-08, in days. */
const FIRST_DAY = 11_330
const PATTERNS = ['%', 'a%', '%b', '_', 'A_', "o'%", '%\\_%', '%\\%', 'a\\_b', '']

/** ClickHouse's types of the elements, as they are where each row has one. */
export const ELEMENTS = { e: 'String', x: 'Nullable(Int32)' } as const

/** Any query that is a valid one. */
export function randomPlan(choices: Choices): QueryPlan {
  const arrays = choices.chance(0.25) ? { isLeft: choices.chance(0.4), isBefore: choices.chance(0.5), names: choices.of([['e'], ['x'], ['e', 'x']] as const) } : null
  const join = choices.chance(0.35) ? randomJoin(choices, arrays) : null
  const elements = Object.fromEntries((arrays?.names ?? []).map((name) => [`${name}.${name}`, ELEMENTS[name]]))
  const scope: Scope = { ...T_SCOPE, ...(join === null || join.kind.startsWith('semi') || join.kind.startsWith('anti') ? {} : U_SCOPE), ...elements }
  const isGrouped = choices.chance(0.5)
  const groupBy = isGrouped ? (choices.chance(0.15) ? [] : choices.some(Object.keys(scope), 2)) : null
  const outputs = groupBy === null ? rowOutputs(choices, scope, join === null && arrays === null) : groupOutputs(choices, scope, groupBy)
  const orders = Object.keys(outputs).map(() => choices.of(['asc', 'desc'] as const))
  const from = choices.chance(0.7) ? ({ kind: 'table' } as const) : ({ kind: choices.of(['subquery', 'common'] as const), where: randomCondition(choices, T_SCOPE, 1) } as const)
  const gaps = join?.kind === 'full' || choices.chance(0.3) ? null : randomGaps(choices, outputs, orders, groupBy)
  return {
    from,
    sample: from.kind === 'table' && choices.chance(0.2) ? randomSample(choices) : null,
    join,
    arrays,
    prewhere: from.kind === 'table' && choices.chance(0.2) ? randomCondition(choices, T_SCOPE, 1) : null,
    where: choices.chance(0.75) ? Array.from({ length: choices.between(1, 2) }, () => randomCondition(choices, scope, 2)) : [],
    outputs,
    groupBy,
    havingMoreThan: groupBy !== null && choices.chance(0.3) ? choices.between(0, 3) : null,
    isDistinct: choices.chance(0.15),
    isDoubled: choices.chance(0.1),
    orders,
    gaps,
    carried: gaps === null || groupBy === null || groupBy.length === 0 ? {} : randomCarried(choices, outputs, gaps),
    limit: choices.chance(0.4) ? choices.between(0, 12) : null,
    offset: choices.chance(0.2) ? choices.between(0, 4) : null,
  }
}

function randomJoin(choices: Choices, arrays: QueryPlan['arrays']): QueryPlan['join'] {
  const keys = [['t.b', 'u.k'], ['t.s', 'u.label'], ...(arrays?.isBefore === true && arrays.names.includes('e') ? ([['e.e', 'u.label']] as const) : [])] as const
  return { kind: choices.of(['inner', 'left', 'full', 'semi left', 'anti left'] as const), on: choices.of(keys) }
}

function randomSample(choices: Choices): QueryPlan['sample'] {
  const offset = choices.between(0, 15)
  return { share: choices.between(1, 16 - offset) / 16, offset: offset / 16 }
}

/** Of an output that is a small number, or a day; not null, and none of those that are far apart. */
function randomGaps(choices: Choices, outputs: QueryPlan['outputs'], orders: QueryPlan['orders'], groupBy: QueryPlan['groupBy']): QueryPlan['gaps'] {
  const isFit = (output: OutputPlan | undefined): boolean =>
    output !== undefined && ((output.kind === 'column' && (output.column === 't.id' || output.column === 't.d')) || output.kind === 'countIf' || (output.kind === 'aggregate' && (output.aggregate === 'count' || output.aggregate === 'countDistinct')))
  const at = Object.values(outputs).findIndex(isFit)
  const output = Object.values(outputs)[at]
  // Of outputs that are the same the server makes one, in the rows that it puts in as well: of the least of a key, or of two counts.
  const isKey = Object.values(outputs).some((one) => one.kind === 'aggregate' && (one.aggregate === 'min' || one.aggregate === 'max') && groupBy?.includes(one.column))
  const kinds = Object.values(outputs).map((one) => (one.kind === 'aggregate' && one.aggregate !== 'count' ? `${one.aggregate} ${one.column}` : one.kind))
  const isTwice = kinds.some((kind, index) => kind !== 'column' && kinds.indexOf(kind) !== index)
  if (output === undefined || isKey || isTwice) return null
  const isDay = output.kind === 'column' && output.column === 't.d'
  const first = isDay ? FIRST_DAY : 0
  const step = choices.between(1, 4)
  // Downwards, nothing may pass 0.
  const isEndless = orders[at] === 'asc' || step === 1
  const [low, high] = [isEndless && choices.chance(0.5) ? null : first + step + choices.between(0, 4), choices.chance(0.5) ? first + choices.between(9, 40) : null]
  const [from, to] = orders[at] === 'asc' ? [low, high] : [high, low]
  return { at, isDay, from, to, step }
}

/** Of what follows from the keys, all of which are in the order. */
function randomCarried(choices: Choices, outputs: QueryPlan['outputs'], { at, from }: NonNullable<QueryPlan['gaps']>): QueryPlan['carried'] {
  if (at > 0 && from !== null) return {}
  const names = Object.entries(outputs).filter(([name, output], index) => index !== at && !name.includes('.') && output.kind !== 'column' && choices.chance(0.5))
  const canGrow = (output: OutputPlan): boolean => output.kind === 'aggregate' && (output.aggregate === 'count' || output.aggregate === 'countDistinct')
  return Object.fromEntries(names.map(([name, output]) => [name, canGrow(output) && choices.chance(0.5) ? ('grow' as const) : ('keep' as const)]))
}

function rowOutputs(choices: Choices, scope: Scope, isSingle: boolean): Record<string, OutputPlan> {
  const outputs: Record<string, OutputPlan> = {}
  for (const column of choices.some(Object.keys(scope), 4)) outputs[outputName(choices, column, outputs)] = { kind: 'column', column }
  // A row's number is one and the same only where each row has an id of its own.
  if (!isSingle || choices.chance(0.7)) return outputs
  outputs['window'] = choices.chance(0.5)
    ? { kind: 'rowNumber', partition: choices.of(['t.s', 't.a', 't.d']), order: choices.of(['t.b', 't.f', 't.m']), direction: choices.of(['asc', 'desc'] as const) }
    : { kind: 'runningSum', partition: choices.of(['t.s', 't.a']), preceding: choices.between(0, 3), following: choices.between(0, 2) }
  return outputs
}

function groupOutputs(choices: Choices, scope: Scope, groupBy: readonly string[]): Record<string, OutputPlan> {
  const outputs: Record<string, OutputPlan> = {}
  for (const column of groupBy) outputs[outputName(choices, column, outputs)] = { kind: 'column', column }
  for (let left = choices.between(1, 3); left > 0; left--) {
    if (choices.chance(0.15)) {
      outputs[`if${left}`] = { kind: 'countIf', when: randomCondition(choices, scope, 1) }
      continue
    }
    const aggregate = choices.of(['count', 'sum', 'min', 'max', 'avg', 'countDistinct'] as const)
    const columns = Object.keys(scope).filter((column) => (aggregate !== 'sum' && aggregate !== 'avg') || /Int|Float/.test(scope[column] as string))
    // An aggregate may have the name of a column: where and group by mean the column all the same.
    outputs[choices.chance(0.3) ? outputName(choices, choices.of(columns), outputs) : `x${left}`] = { kind: 'aggregate', aggregate, column: choices.of(columns) }
  }
  return outputs
}

/** Often the name of a column, and not always of the one that is meant. */
function outputName(choices: Choices, column: string, taken: Readonly<Record<string, unknown>>): string {
  const own = column.slice(2)
  const name = choices.chance(0.6) ? own : choices.of(['a', 's', 'odd `name`', "it's", 'ü', 'x.y'])
  return Object.hasOwn(taken, name) ? `${name}${Object.keys(taken).length}` : name
}

/** Any condition over the columns, nested up to a depth. */
export function randomCondition(choices: Choices, scope: Scope, depth: number): ConditionPlan {
  if (depth > 0 && choices.chance(0.5)) {
    if (choices.chance(0.3)) return { kind: 'not', of: randomCondition(choices, scope, depth - 1) }
    return { kind: choices.of(['and', 'or'] as const), all: Array.from({ length: choices.between(0, 3) }, () => randomCondition(choices, scope, depth - 1)) }
  }
  const column = choices.of(Object.keys(scope))
  const type = scope[column] as string
  const value = (): unknown => valueFor(type.replace(/^Nullable\((.*)\)$/, 'UInt32'), choices)
  const texts = Object.keys(scope).filter((name) => /String/.test(scope[name] as string))
  const hasT = Object.hasOwn(scope, 't.b')
  const kind = choices.of(['compare', 'compare', 'compare', 'list', 'null', 'match', ...(hasT ? (['columns', 'query', 'scalar'] as const) : [])] as const)
  switch (kind) {
    case 'list':
      return { kind, column, isNegated: choices.chance(0.4), values: Array.from({ length: choices.between(1, 4) }, value) }
    case 'null':
      return { kind, column: hasT && choices.chance(0.5) ? 't.a' : column, isNegated: choices.chance(0.5) }
    case 'match':
      return { kind, column: choices.of(texts), operator: choices.of(['like', 'not like', 'ilike'] as const), pattern: choices.of(PATTERNS) }
    case 'columns':
      return { kind, column: 't.a', operator: choices.of(['=', '<'] as const), other: choices.of(['t.b', 't.id', 't.f']) }
    case 'scalar':
      return { kind, column: 't.b', operator: choices.of(['=', '<', '>='] as const), inner: randomCondition(choices, U_SCOPE, 0) }
    case 'query':
      return { kind, column: 't.b', isNegated: choices.chance(0.4), inner: randomCondition(choices, U_SCOPE, 0) }
    default:
      return { kind: 'compare', column, operator: choices.of(['=', '!=', '<', '<=', '>', '>='] as const), value: value() }
  }
}
