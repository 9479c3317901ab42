import { InfrastructureError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { typed } from '../parameters/typed-value.ts'
import { quoteName } from './quote-name.ts'

/** What became of texts that were sent as values or as names. */
export interface InjectionOutcome {
  /** Came back as they were sent. */
  readonly same: number
  /** Refused with a typed error, before the server or by it. */
  readonly refused: number
  /** Anything else: another value came back, or the server took them for syntax. */
  readonly holes: readonly { readonly slot: string; readonly text: string; readonly what: string }[]
}

/** A place of a query where a text goes: `place` is filled for each text, and what the column answers must be `expected`. */
interface ValueSlot {
  readonly name: string
  readonly place: (name: string) => string
  readonly value: (text: string) => unknown
  readonly expected: (text: string) => unknown
}

const same = (text: string): string => text

/** Every slot that a value can have. */
const VALUE_SLOTS: readonly ValueSlot[] = [
  { name: '{name:String}', place: (name) => `{${name}:String}`, value: same, expected: same },
  { name: ':name', place: (name) => `:${name}`, value: same, expected: same },
  { name: 'Nullable', place: (name) => `{${name}:Nullable(String)}`, value: same, expected: same },
  { name: 'LowCardinality', place: (name) => `{${name}:LowCardinality(String)}`, value: same, expected: same },
  { name: 'Array', place: (name) => `{${name}:Array(String)}[2]`, value: (text) => ['x', text, "'"], expected: same },
  { name: 'Array of arrays', place: (name) => `{${name}:Array(Array(String))}[1][2]`, value: (text) => [['', text]], expected: same },
  { name: 'Tuple', place: (name) => `tupleElement({${name}:Tuple(String, UInt8)}, 1)`, value: (text) => [text, 1], expected: same },
  { name: 'Map value', place: (name) => `{${name}:Map(String, String)}['k']`, value: (text) => new Map([['k', text]]), expected: same },
  { name: 'Map key', place: (name) => `mapKeys({${name}:Map(String, UInt8)})[1]`, value: (text) => new Map([[text, 1]]), expected: same },
  { name: 'typed()', place: (name) => `:${name}`, value: (text) => typed('Array(Nullable(String))', [null, text]), expected: (text) => [null, text] },
  { name: 'argument', place: (name) => `concat('<', {${name}:String}, '>')`, value: same, expected: (text) => `<${text}>` },
]

/** Sends texts as values in every slot, many in one query, and compares what comes back. */
export async function probeValues(adapter: ClickHouseAdapter, texts: readonly string[]): Promise<InjectionOutcome> {
  const outcomes: InjectionOutcome[] = []
  for (const slot of VALUE_SLOTS) outcomes.push(await probeSlot(adapter, slot, texts))
  return together(outcomes)
}

async function probeSlot(adapter: ClickHouseAdapter, slot: ValueSlot, texts: readonly string[]): Promise<InjectionOutcome> {
  const query = `SELECT ${texts.map((_text, index) => `${slot.place(`p${index}`)} AS c${index}`).join(', ')}`
  const params = Object.fromEntries(texts.map((text, index) => [`p${index}`, slot.value(text)]))
  const compare = (row: Readonly<Record<string, unknown>>): InjectionOutcome => {
    const wrong = texts.flatMap((text, index) => (JSON.stringify(row[`c${index}`]) === JSON.stringify(slot.expected(text)) ? [] : [{ slot: slot.name, text, what: `came back as ${JSON.stringify(row[`c${index}`])}` }]))
    return { same: texts.length - wrong.length, refused: 0, holes: wrong }
  }
  return halvedOnRefusal(slot.name, texts, (some) => probeSlot(adapter, slot, some), async () => compare((await adapter.execute(query, params, { retry: false })).rows[0] ?? {}))
}

/** Every slot that a name can have. Each is filled with the names of columns of a subquery, so that what is found tells that it was read as a name. */
const NAME_SLOTS: readonly { readonly name: string; readonly query: (names: readonly string[]) => string }[] = [
  { name: 'column', query: (names) => `SELECT ${names.map((_name, index) => `{p${index}:Identifier} AS c${index}`).join(', ')} FROM (SELECT ${columns(names)})` },
  { name: 'condition', query: (names) => `SELECT ${names.map((_name, index) => `${index} AS c${index}`).join(', ')} FROM (SELECT ${columns(names)}) WHERE ${names.map((_name, index) => `{p${index}:Identifier} = ${index}`).join(' AND ')}` },
  { name: 'order', query: (names) => `SELECT ${names.map((_name, index) => `${index} AS c${index}`).join(', ')} FROM (SELECT ${columns(names)}) ORDER BY ${names.map((_name, index) => `{p${index}:Identifier}`).join(', ')}` },
  { name: 'argument of a function', query: (names) => `SELECT ${names.map((_name, index) => `toUInt32({p${index}:Identifier}) AS c${index}`).join(', ')} FROM (SELECT ${columns(names)})` },
]

const columns = (names: readonly string[]): string => names.map((name, index) => `${index} AS ${quoteName(name)}`).join(', ')

/** Sends texts as names in every slot of a column, and alone as names of a table and of a database. */
export async function probeNames(adapter: ClickHouseAdapter, texts: readonly string[]): Promise<InjectionOutcome> {
  // The same name twice would be one column, and no column can be called by nothing.
  const names = [...new Set(texts)].filter((text) => text !== '')
  const outcomes: InjectionOutcome[] = []
  for (const slot of NAME_SLOTS) outcomes.push(await probeNameSlot(adapter, slot, names))
  return together(outcomes)
}

async function probeNameSlot(adapter: ClickHouseAdapter, slot: (typeof NAME_SLOTS)[number], names: readonly string[]): Promise<InjectionOutcome> {
  const params = Object.fromEntries(names.map((name, index) => [`p${index}`, name]))
  return halvedOnRefusal(slot.name, names, (some) => probeNameSlot(adapter, slot, some), async () => {
    const row = (await adapter.execute(slot.query(names), params, { retry: false })).rows[0] ?? {}
    const wrong = names.flatMap((text, index) => (Number(row[`c${index}`]) === index ? [] : [{ slot: slot.name, text, what: `found ${String(row[`c${index}`])} and not ${index}` }]))
    return { same: names.length - wrong.length, refused: 0, holes: wrong }
  })
}

/** Names of tables and databases, one by one: there is none of that name, and the refusal must say just that. */
export async function probeTableName(adapter: ClickHouseAdapter, text: string): Promise<InjectionOutcome> {
  const queries = [['table', 'SELECT 1 AS c0 FROM {p0:Identifier}'], ['database', 'SELECT 1 AS c0 FROM {p0:Identifier}.t']] as const
  const outcomes = await Promise.all(
    queries.map(([name, query]) => halvedOnRefusal(name, [text], () => Promise.resolve(NOTHING), async () => {
      const { rows } = await adapter.execute(query, { p0: text }, { retry: false })
      return { same: 0, refused: 0, holes: [{ slot: name, text, what: `was answered: ${JSON.stringify(rows)}` }] }
    })),
  )
  return together(outcomes)
}

const NOTHING: InjectionOutcome = { same: 0, refused: 0, holes: [] }

/** A query of many texts that is refused says nothing of any one of them: halves are tried, until it is known which. */
async function halvedOnRefusal(slot: string, texts: readonly string[], half: (some: readonly string[]) => Promise<InjectionOutcome>, attempt: () => Promise<InjectionOutcome>): Promise<InjectionOutcome> {
  try {
    return await attempt()
  } catch (error) {
    if (texts.length > 1) return together([await half(texts.slice(0, texts.length / 2)), await half(texts.slice(texts.length / 2))])
    const text = texts[0] ?? ''
    if (!InfrastructureError.isInstance(error)) return { ...NOTHING, holes: [{ slot, text, what: `failed with ${String(error)}` }] }
    const isSyntax = error.code === 'ERR_CLICKHOUSE_QUERY_SYNTAX' || (error as { serverCode?: number }).serverCode === 62
    return isSyntax ? { ...NOTHING, holes: [{ slot, text, what: `was taken for syntax: ${error.message}` }] } : { ...NOTHING, refused: 1 }
  }
}

function together(outcomes: readonly InjectionOutcome[]): InjectionOutcome {
  return {
    same: outcomes.reduce((sum, { same: count }) => sum + count, 0),
    refused: outcomes.reduce((sum, { refused }) => sum + refused, 0),
    holes: outcomes.flatMap(({ holes }) => holes),
  }
}
