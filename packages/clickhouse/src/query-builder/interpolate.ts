import { builderError } from './builder-error.ts'
import { type CompileContext, type QueryExpression, quoteAlias } from './expression.ts'
import { ExpressionBuilder } from './expression-builder.ts'
import { made } from './query-source.ts'
import type { RowSource } from './row-source.ts'
import type { QueryParts } from './write-select.ts'

/** An output of rows that are put in: what it is in the row before, or what is made of that. */
export interface Interpolation {
  readonly name: string
  readonly of: QueryExpression | null
}

type Given = string | Readonly<Record<string, (expressions: ExpressionBuilder<never>) => QueryExpression>>

/**
 * The outputs that go on in rows that are put in, with those that did before.
 * @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` for what is no output, or given twice: ClickHouse 26.7 crashes of that
 */
export function interpolations({ outputs, interpolated }: QueryParts, given: readonly Given[]): Interpolation[] {
  const all = [...interpolated]
  const add = (name: string, make?: (expressions: ExpressionBuilder<never>) => QueryExpression): void => {
    const output = outputs.get(name)
    if (output === undefined) throw builderError([name], `there is no output ${JSON.stringify(name)} that could be interpolated`)
    if (name.includes('.')) throw builderError([name], `ClickHouse finds no output with a dot in its name where rows are put in; give ${JSON.stringify(name)} another name`)
    if (all.some((other) => other.name === name)) throw builderError([name], `the output ${JSON.stringify(name)} is interpolated twice`)
    // Of another output that goes on as well the server takes zeros.
    const previous: RowSource = { alias: 'previous', columns: new Map([[name, output.type]]), isTable: false, reference: quoteAlias(name), sql: () => '' }
    all.push({ name, of: make === undefined ? null : made(make(new ExpressionBuilder([previous])), name) })
  }
  for (const entry of given) {
    if (typeof entry === 'string') add(entry)
    else for (const [name, make] of Object.entries(entry)) add(name, make)
  }
  return all
}

/** Written behind the order. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` where no gaps are filled, or a row could take what belongs to others */
export function writeInterpolations({ interpolated, orderBy }: QueryParts, context: CompileContext): string {
  const [first] = interpolated
  if (first === undefined) return ''
  const filled = orderBy.findIndex(({ gaps }) => gaps !== undefined)
  if (filled === -1) throw builderError([first.name], 'interpolate is for rows that are put in; give an orderBy its fill')
  if (filled > 0 && orderBy.some(({ gaps }) => gaps?.hasStart === true)) {
    throw builderError([first.name], 'the first rows that are put in from where the gaps begin would take what belongs to the group before; leave fill.from out, or order by nothing before')
  }
  const ordered = interpolated.find(({ name }) => orderBy.some(({ output }) => output === name))
  if (ordered !== undefined) throw builderError([ordered.name], `${JSON.stringify(ordered.name)} is a part of the order, and so can't be interpolated`)
  const write = ({ name, of }: Interpolation): string => (of === null ? quoteAlias(name) : `${quoteAlias(name)} AS ${bracketedPlace(of.sql(context))}`)
  return ` INTERPOLATE (${interpolated.map(write).join(', ')})`
}

/** A value's place that stands there alone the server would not fill. */
function bracketedPlace(sql: string): string {
  return sql.startsWith('{') ? `identity(${sql})` : sql
}
