import type { ClickHouseAdapter } from '../../src/index.ts'
import { ValidationError } from '@smart-whale/interfaces'
import type { Choices } from './choices.ts'
import { db } from './query-data.ts'

const PIECES = ["'", "''", '"', '`', '``', '\\', '\\\\', "\\'", '--', '-- x\n', '/*', '*/', '#', '#!', ';', '; DROP TABLE t', '(', ')', '){', '{p1:String}', '{x:Identifier}', ':name', '$1', '$$', '$heredoc$', '::', '.', ',', ' ', '\n', '\t', '\0', '\u001b', '\u00a0', '\u2028', '‘', '’', '“', '＇', 'ʼ', '%27', '%00', '&#39;', "' OR 1=1 --", ' UNION ALL SELECT 1', ' FORMAT Null', ' SETTINGS readonly=0', ' INTO OUTFILE', 'ünï', '海', '\ud83d', '\ude00', '😀', 'a', 'id', 't.id', 't', 'b', 'asc', '=', '1', 'NULL', 'count()', 'sleep(3)', "CAST('a' AS Nullable(String))", '\\x27', '\\u0027']

/** A text that tries to be something else than a name or a value. */
export function hostileText(choices: Choices): string {
  return Array.from({ length: choices.between(1, 4) }, () => choices.of(PIECES)).join('')
}

/** What became of hostile texts. */
export interface HostileOutcome {
  /** Refused with a typed error before anything was sent. */
  refused: number
  /** Taken as a name or a value, and there again in the answer. */
  kept: number
  /** Texts that did anything else, with what they did. */
  readonly wrong: string[]
}

const COLUMNS = new Set(['id', 'a', 'b', 's', 'f', 'd', 'm', 'h', 'l', 'n'].flatMap((name) => [name, `t.${name}`]))
const BATCH = 50

/** Puts each text into every slot of a query: names of columns and tables, operators, orders, functions, aliases, names of outputs, values. */
export async function tryHostileTexts(adapter: Pick<ClickHouseAdapter, 'execute'>, texts: number, choices: Choices): Promise<HostileOutcome> {
  const outcome: HostileOutcome = { refused: 0, kept: 0, wrong: [] }
  const batch = new Map<string, string>()
  for (let tried = 0; tried < texts; tried++) {
    const text = hostileText(choices)
    mustRefuse(text, outcome)
    if (isRefused(() => db.from('t', text))) outcome.refused++
    else batch.set(text, hostileText(choices))
    if (batch.size < BATCH && tried < texts - 1) continue
    await mustKeepElements(adapter, [...batch], outcome)
    await mustKeep(adapter, batch, outcome)
  }
  return outcome
}

function mustRefuse(text: string, outcome: HostileOutcome): void {
  const name = text as never
  const all = db.from('t').select('id')
  const slots: Readonly<Record<string, () => unknown>> = {
    table: () => db.from(name),
    operator: () => all.where('id', name, 1),
    direction: () => all.orderBy('id', name),
    function: () => db.from('t').select({ x: (e) => e.fn(text, 'id') }).compile(),
    sample: () => db.from('t').sample(name),
    stride: () => db.from('t').select('d').orderBy('d', 'asc', { fill: { step: [1, name] } }),
    array: () => db.from('t').arrayJoin({ x: name }),
    edge: () => db.from('t').select('m').orderBy('m', 'asc', { fill: { from: text, step: [1, 'day'] } }),
    carried: () => all.interpolate(name),
    join: () => all.join(name, 'u', ['t.b', 'u.k']),
    unit: () => db.from('t').select({ x: (e) => e.startOf(name, 'm') }),
    ...(COLUMNS.has(text) ? {} : { column: () => db.from('t').select(name), group: () => all.groupBy(name), order: () => all.orderBy(name), condition: () => all.where(name, '=', 1 as never) }),
  }
  for (const [slot, build] of Object.entries(slots)) {
    // These are words that the slot has.
    if ((slot === 'table' && text === 't') || (slot === 'operator' && text === '=') || (slot === 'direction' && text === 'asc') || (slot === 'carried' && text === 'id') || (slot === 'function' && /^[A-Za-z]\w*$/.test(text))) continue
    if (isRefused(build)) outcome.refused++
    else outcome.wrong.push(`${slot}: ${JSON.stringify(text)} was taken`)
  }
}

function isRefused(build: () => unknown): boolean {
  try {
    build()
    return false
  } catch (error) {
    if (ValidationError.isInstance(error)) return true
    throw error
  }
}

/** All of them at once, as names of outputs, and each with a value; one of them as the source's name. */
async function mustKeep(adapter: Pick<ClickHouseAdapter, 'execute'>, batch: Map<string, string>, outcome: HostileOutcome): Promise<void> {
  const [alias] = [...batch.keys()]
  if (alias === undefined) return
  const values = [...batch].map(([name, value]) => [name, value.isWellFormed() ? value : value.toWellFormed()] as const)
  const query = db.from('t', alias).select(Object.fromEntries(values.map(([name, value]) => [name, (e: { value(value: string): unknown }) => e.value(value)])) as never).limit(1)
  batch.clear()
  try {
    const { query: text, params } = query.compile()
    const { rows } = await adapter.execute(text, params)
    for (const [name, value] of values) {
      if (rows[0]?.[name] === value) outcome.kept++
      else outcome.wrong.push(`${JSON.stringify(name)}: ${JSON.stringify(value)} came back as ${JSON.stringify(rows[0]?.[name])}`)
    }
  } catch (error) {
    outcome.wrong.push(`${JSON.stringify(values)}: ${(error as Error).message}`)
  }
}

/** All of them at once as names of arrays' elements, each with a value in its array; two whose names can mean each other are refused. */
async function mustKeepElements(adapter: Pick<ClickHouseAdapter, 'execute'>, batch: readonly (readonly [string, string])[], outcome: HostileOutcome): Promise<void> {
  const values = new Map(batch.map(([name, value]) => [name, value.toWellFormed()]))
  const arrays = (names: readonly string[]): object => Object.fromEntries(names.map((name) => [name, (e: { value(value: string[]): unknown }) => e.value([values.get(name) as string])]))
  const selected = (names: readonly string[]) => db.from('t', 'all t').arrayJoin(arrays(names) as never).select(Object.fromEntries(names.map((name) => [name, name])) as never)
  const kept = [...values.keys()].filter((name) => !isRefused(() => selected([name])))
  outcome.refused += values.size - kept.length
  if (kept.length === 0 || isRefused(() => selected(kept))) return
  const { query, params } = selected(kept).limit(1).compile()
  const rows = await adapter.execute(query, params).then((answer) => answer.rows, (error: Error) => error.message)
  for (const name of kept) {
    if (typeof rows !== 'string' && rows[0]?.[name] === values.get(name)) outcome.kept++
    else outcome.wrong.push(`elements ${JSON.stringify(name)}: ${typeof rows === 'string' ? rows : JSON.stringify(rows[0]?.[name])}`)
  }
}
