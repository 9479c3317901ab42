import { quoteName } from '../adapter/table-columns.ts'
import { type ArrayElements, plainElementsName } from './array-elements.ts'
import { placeOf } from './bind-value.ts'
import { builderError } from './builder-error.ts'
import { type CommonQuery, type CompileContext, type QueryExpression, quoteAlias } from './expression.ts'
import type { QueryCondition } from './expression-builder.ts'
import type { FilledGaps } from './fill-gaps.ts'
import { type Interpolation, writeInterpolations } from './interpolate.ts'
import type { SpecialJoin } from './query-source.ts'
import type { Readable } from './query-types.ts'
import { aliased, bracketed, type RowSource } from './row-source.ts'

/** What a join does with rows that have no partner: drops them, or keeps those of the left side, or of both. */
export type JoinKind = 'INNER JOIN' | 'LEFT JOIN' | 'FULL JOIN' | SpecialJoinWord
type SpecialJoinWord = 'ANY INNER JOIN' | 'ANY LEFT JOIN' | 'ASOF JOIN' | 'ASOF LEFT JOIN' | 'SEMI LEFT JOIN' | 'ANTI LEFT JOIN'

/** How ClickHouse's own joins are written. */
export const SPECIAL_JOINS: ReadonlyMap<SpecialJoin, SpecialJoinWord> = new Map([
  ['any inner', 'ANY INNER JOIN'],
  ['any left', 'ANY LEFT JOIN'],
  ['asof inner', 'ASOF JOIN'],
  ['asof left', 'ASOF LEFT JOIN'],
  ['semi left', 'SEMI LEFT JOIN'],
  ['anti left', 'ANTI LEFT JOIN'],
])

/** What an array join does with a row whose array is empty: drops it, or keeps it without an element. */
export type ArrayJoinKind = 'ARRAY JOIN' | 'LEFT ARRAY JOIN'

interface Join {
  readonly kind: JoinKind
  readonly source: RowSource
  readonly on: QueryCondition
}

interface ArrayJoin {
  readonly kind: ArrayJoinKind
  readonly elements: readonly ArrayElements[]
}

/** What an answer is ordered by. */
export interface Order {
  readonly by: QueryExpression
  readonly direction: 'ASC' | 'DESC'
  /** Name of the output that it is; null for anything else. */
  readonly output: string | null
  readonly gaps?: FilledGaps | undefined
}

/** All that a query says; each step makes another one. */
export interface QueryParts {
  readonly tables: ReadonlyMap<string, RowSource>
  readonly common: readonly CommonQuery[]
  readonly source: RowSource
  readonly isFinal: boolean
  readonly sample: { readonly share: number; readonly offset: number } | null
  readonly joins: readonly (Join | ArrayJoin)[]
  readonly outputs: ReadonlyMap<string, QueryExpression>
  readonly isDistinct: boolean
  readonly prewhere: readonly QueryCondition[]
  readonly where: readonly QueryCondition[]
  readonly groupBy: readonly QueryExpression[]
  readonly having: readonly QueryCondition[]
  readonly orderBy: readonly Order[]
  readonly interpolated: readonly Interpolation[]
  readonly limitBy: { readonly rows: number; readonly by: readonly QueryExpression[] } | null
  readonly limit: number | null
  readonly offset: number | null
  readonly unions: readonly Readable[]
}

/** All sources whose columns may be named; and those, if asked for, that rows were only looked for in. */
export function sourcesOf({ source, joins }: Pick<QueryParts, 'source' | 'joins'>, all = false): readonly RowSource[] {
  return [source, ...joins.flatMap((join): readonly RowSource[] => ('elements' in join ? join.elements : all || !/SEMI|ANTI/.test(join.kind) ? [join.source] : []))]
}

/** Writes a query, without brackets. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` when nothing is selected */
export function writeSelect(parts: QueryParts, context: CompileContext): string {
  const { outputs, source, joins, prewhere, where, groupBy, having, orderBy, limitBy, limit, offset } = parts
  if (outputs.size === 0) throw builderError(['select'], 'nothing is selected')
  refuseElementNames(parts)
  // The server would take what `final` leaves out for what is there.
  if (parts.isFinal && prewhere.length > 0) throw builderError(['prewhere'], 'prewhere picks rows before final does, and so may find old ones; use where')
  const first = isSampledBesideOthers(parts) ? bracketed(source) : source
  const isWrapped = first.isWrapped === true
  const list = (expressions: readonly QueryExpression[]): string => expressions.map(({ sql }) => sql(context)).join(', ')
  const all = (conditions: readonly QueryCondition[]): string => conditions.map(({ sql }) => sql(context)).join(' AND ')
  // A query that is read from by another one may have brought its own; those that stand around it are seen from here.
  const common = parts.common.filter((query) => !context.isVisible(query))
  const names = common.map((query) => {
    const text = `${quoteAlias(query.name)} AS (${query.sql(context)})`
    context.show(query)
    return text
  })
  const clauses = [
    names.length > 0 && `WITH ${names.join(', ')}`,
    `SELECT ${parts.isDistinct ? 'DISTINCT ' : ''}${[...outputs].map(([name, { sql }]) => `${sql(context)} AS ${quoteName(name)}`).join(', ')}`,
    `FROM ${aliased(first, context, modifiersOf(parts, isWrapped ? all(prewhere) : ''))}`,
    ...joins.map((join) => writeJoin(join, context)),
    !isWrapped && prewhere.length > 0 && `PREWHERE ${all(prewhere)}`,
    where.length > 0 && `WHERE ${all(where)}`,
    groupBy.length > 0 && `GROUP BY ${list(groupBy)}`,
    having.length > 0 && `HAVING ${all(having)}`,
    orderBy.length > 0 && `ORDER BY ${orderBy.map((order) => writeOrder(order, context)).join(', ')}${writeInterpolations(parts, context)}`,
    limitBy !== null && `LIMIT ${bindCount(limitBy.rows, context)} BY ${list(limitBy.by)}`,
    limit !== null && `LIMIT ${bindCount(limit, context)}`,
    offset !== null && `OFFSET ${bindCount(offset, context)}`,
  ]
  for (const query of common) context.hide(query)
  return clauses.filter((clause) => clause !== false).join(' ')
}

/** How the first table is read. Shares are a part of the language, which takes no bound value for them. */
function modifiersOf({ isFinal, sample, source }: QueryParts, conditions: string): string {
  const offset = sample === null || sample.offset === 0 ? '' : ` OFFSET ${sample.offset}`
  const read = `${isFinal ? ' FINAL' : ''}${sample === null ? '' : ` SAMPLE ${sample.share}${offset}`}`
  // Within brackets the table has its alias, too, for the conditions to name it by.
  return conditions === '' ? read : ` AS ${quoteAlias(source.alias)}${read} PREWHERE ${conditions}`
}

function isSampledBesideOthers({ sample, joins }: QueryParts): boolean {
  return sample !== null && joins.some((join) => !('elements' in join))
}

function writeJoin(join: Join | ArrayJoin, context: CompileContext): string {
  if ('elements' in join) return `${join.kind} ${join.elements.map(({ sql, reference }) => `${sql(context)} AS ${reference}`).join(', ')}`
  return `${join.kind} ${aliased(join.source, context)} ON ${join.on.sql(context)}`
}

function writeOrder({ by, direction, gaps }: Order, context: CompileContext): string {
  return `${by.sql(context)} ${direction}${gaps === undefined ? '' : ` ${gaps.sql(context)}`}`
}

/** Elements have names of the query's own, which an output must not take. */
function refuseElementNames({ joins, outputs }: QueryParts): void {
  const names = joins.flatMap((join) => ('elements' in join ? join.elements.map(({ alias }) => plainElementsName(alias)) : []))
  const taken = names.find((name) => outputs.has(name))
  if (taken !== undefined) throw builderError([taken], `the name ${JSON.stringify(taken)} stands for elements of an array; give the output another name`)
}

function bindCount(rows: number, context: CompileContext): string {
  return context.bind({ ...placeOf(rows), type: 'UInt64' })
}
