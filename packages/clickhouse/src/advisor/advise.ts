import type { CallOptions } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryStatistics } from '../adapter-options.ts'
import { quoteName, splitTableName } from '../adapter/table-columns.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { isGone } from '../doctor/is-gone.ts'
import { quoteText } from '../migrations/topology.ts'
import { sqlTokens } from '../sql-tokens.ts'
import { type Candidate, candidatesFor, codecCandidates } from './candidates.ts'
import { askQuietly, type LoggedQuestion, readLoggedQuestions } from './logged-questions.ts'
import { questionParts } from './question-parts.ts'
import { type SampleSource, SampleTables } from './sample-tables.ts'

/** What {@link advise} may be told. */
export interface AdviseOptions extends CallOptions {
  /** Questions to look at. @default the server's log of queries */
  questions?: readonly LoggedQuestion[] | undefined
  /** Databases whose tables are looked at. @default that of the adapter */
  databases?: readonly string[] | undefined
  /** How far back the log is read, in hours. @default 168 */
  hours?: number | undefined
  /** Questions that are looked at, the costliest first. @default 10 */
  maxQuestions?: number | undefined
  /** Rows of a sample. @default 200_000 */
  sampleRows?: number | undefined
  /** Share of bytes read, or stored, that a change has to save to be proposed. @default 0.2 */
  leastGain?: number | undefined
  /** Hears what is being measured. @default nobody */
  onProgress?: ((what: string) => void) | undefined
}

/** What a question, or a column, costs on the sample. */
export interface MeasuredCost {
  readonly rowsRead: number
  readonly bytesRead: number
  readonly elapsedMs: number
  /** Size of the sample on disk, or of the column. */
  readonly bytesStored: number
}

/** A change that was measured, and found worth while. */
export interface Proposal {
  readonly kind: Candidate['kind']
  /** As `database.table`. */
  readonly table: string
  readonly what: string
  /** The question that it helps; null for one that saves space. */
  readonly question: string | null
  /** How often it was asked. */
  readonly times: number
  readonly before: MeasuredCost
  readonly after: MeasuredCost
  /** Share of what it saves: of bytes read, or of bytes stored for a codec. */
  readonly gain: number
  readonly sampledRows: number
  /** Statements that make it. */
  readonly ddl: readonly string[]
}

/** What was found out. */
export interface Advice {
  /** Most gain first. */
  readonly proposals: readonly Proposal[]
  /** Changes that were measured and did not gain enough, or answered otherwise. */
  readonly rejected: readonly { readonly table: string; readonly what: string; readonly reason: string }[]
  /** Questions that were looked at. */
  readonly questions: number
  /** Why questions could not be looked at; null when they could. */
  readonly unseen: string | null
}

const TIMEOUT_MS = 60_000
/** A sample's column that is stored in less is not worth another codec. */
const LEAST_CODEC_BYTES = 64 * 1024

/**
 * Proposes orders, projections, indexes, rollups and codecs for what is asked, each measured on a sample of the table: the question is asked of the sample as it
 * is and as it would be. Samples are tables of their own beside the table; they are removed in the end, and by the next run when this one is killed.
 */
export async function advise(adapter: ClickHouseAdapter, options: AdviseOptions = {}): Promise<Advice> {
  const { databases = [adapter.database], hours = 168, maxQuestions = 10, signal, timeoutMs = TIMEOUT_MS } = options
  const call: CallOptions = { signal, timeoutMs }
  const inScope = (column: string): string => `${column} IN (${databases.map(quoteText).join(', ')})`
  const { questions, unseen } = await questionsOf(adapter, options, () => readLoggedQuestions(askQuietly(adapter, call), { hours, limit: maxQuestions * 5, inScope }))
  const byTable = new Map<string, LoggedQuestion[]>()
  for (const question of questions.filter(({ tables }) => tables.length === 1).slice(0, maxQuestions)) {
    const [database, table] = splitTableName(question.tables[0] ?? '', question.database)
    const key = `${quoteName(database)}.${quoteName(table)}`
    if (databases.includes(database)) byTable.set(key, [...(byTable.get(key) ?? []), question])
  }
  const found: Pick<Advice, 'proposals' | 'rejected'>[] = []
  for (const [name, asked] of byTable) found.push(await adviseTable(adapter, name, asked, options, call))
  return {
    proposals: found.flatMap(({ proposals }) => proposals).sort((one, other) => other.gain - one.gain),
    rejected: found.flatMap(({ rejected }) => rejected),
    questions: [...byTable.values()].flat().length,
    unseen,
  }
}

async function questionsOf(adapter: ClickHouseAdapter, { questions }: AdviseOptions, readLog: () => Promise<LoggedQuestion[]>): Promise<{ questions: readonly LoggedQuestion[]; unseen: string | null }> {
  if (questions !== undefined) return { questions, unseen: null }
  try {
    await adapter.execute('SYSTEM FLUSH LOGS').catch(() => {})
    return { questions: await readLog(), unseen: null }
  } catch (error) {
    if (isGone(error) || !ClickHouseBaseError.isInstance(error)) throw error
    return { questions: [], unseen: `the log of queries can't be read (${error.message}); hand in what recordQuestions noted` }
  }
}

async function adviseTable(adapter: ClickHouseAdapter, name: string, questions: readonly LoggedQuestion[], options: AdviseOptions, call: CallOptions): Promise<Pick<Advice, 'proposals' | 'rejected'>> {
  const [database, table] = splitTableName(name, adapter.database)
  const samples = new SampleTables(adapter, call)
  const outcome: { proposals: Proposal[]; rejected: { table: string; what: string; reason: string }[] } = { proposals: [], rejected: [] }
  try {
    await samples.dropAbandoned(database)
    options.onProgress?.(`sampling ${database}.${table}`)
    const source = await samples.sampleOf(database, table, options.sampleRows ?? 200_000)
    if (source.shape.engine === null || !/MergeTree/.test(source.shape.engine)) return outcome
    const tried = [...questions.flatMap((question) => candidatesFor(question, name, source.shape).map((candidate) => ({ question, candidate }))), ...codecCandidates(name, source.shape).map((candidate) => ({ question: undefined, candidate }))]
    for (const { question, candidate } of tried) {
      options.onProgress?.(`measuring ${candidate.what} on ${database}.${table}`)
      const measured = await measure(samples, source, candidate, question, options.leastGain ?? 0.2)
      if (typeof measured === 'string') outcome.rejected.push({ table: `${database}.${table}`, what: candidate.what, reason: measured })
      else outcome.proposals.push(measured)
    }
    return outcome
  } finally {
    await samples.dropAll()
  }
}

/** The proposal, or why it is none. */
async function measure(samples: SampleTables, source: SampleSource, candidate: Candidate, question: LoggedQuestion | undefined, leastGain: number): Promise<Proposal | string> {
  try {
    const changed = candidate.rollup === undefined ? await samples.changed(source, candidate.shape) : await rollupTable(samples, source, candidate.rollup.fill)
    const [before, after] = await Promise.all([costOf(samples, source.name, candidate, question, source), costOf(samples, changed, candidate, question, source)])
    if (question !== undefined && isDeterministic(question.query) && before.answer !== after.answer) return 'answers otherwise'
    const [from, to] = candidate.kind === 'codec' ? [before.bytesStored, after.bytesStored] : [before.bytesRead, after.bytesRead]
    if (candidate.kind === 'codec' && from < LEAST_CODEC_BYTES) return `is stored in ${from} bytes of the sample, too little to matter`
    const gain = from === 0 ? 0 : 1 - to / from
    if (gain < leastGain) return `saves ${Math.round(gain * 100)} % only`
    const { answer: _before, ...costBefore } = before
    const { answer: _after, ...costAfter } = after
    return { kind: candidate.kind, table: `${source.database}.${source.table}`, what: candidate.what, question: question?.query ?? null, times: question?.times ?? 0, before: costBefore, after: costAfter, gain, sampledRows: Math.min(source.totalRows, before.sampled), ddl: candidate.ddl }
  } catch (error) {
    if (isGone(error) || !ClickHouseBaseError.isInstance(error)) throw error
    return `could not be measured: ${error.message}`
  }
}

async function rollupTable(samples: SampleTables, source: SampleSource, fill: (from: string) => string): Promise<string> {
  return samples.filled(source.database, fill(source.name))
}

async function costOf(samples: SampleTables, name: string, candidate: Candidate, question: LoggedQuestion | undefined, source: SampleSource): Promise<MeasuredCost & { readonly answer: string; readonly sampled: number }> {
  const bytesStored = await samples.bytesOf(name, candidate.column)
  const sampled = await samples.rowsOf(source.name)
  if (question === undefined) return { rowsRead: 0, bytesRead: 0, elapsedMs: 0, bytesStored, answer: '', sampled }
  const isRollup = candidate.rollup !== undefined && name !== source.name
  const query = isRollup ? candidate.rollup.ask(name) : askedOf(question.query, source, name)
  const { answer, rowsRead, bytesRead, elapsedMs }: QueryStatistics & { answer: string } = await samples.costOf(query)
  return { rowsRead, bytesRead, elapsedMs, bytesStored, answer, sampled }
}

/** The question, asked of another table. */
export function askedOf(query: string, { database, table }: Pick<SampleSource, 'database' | 'table'>, name: string): string {
  const tokens = [...sqlTokens(query)]
  const from = tokens.findIndex(({ kind, value }) => kind === 'word' && value === 'FROM')
  const [first, dot, second] = tokens.slice(from + 1)
  const named = (token: typeof first): string => (token?.kind === 'name' ? token.value : (token?.text ?? ''))
  if (from === -1 || first === undefined) return query
  const isQualified = dot?.text === '.' && second !== undefined && named(first) === database && named(second) === table
  const end = isQualified ? second.end : first.end
  const behind = tokens.find(({ start }) => start >= end)
  // What was called by its table's name still is.
  const alias = behind?.kind === 'word' && (behind.value === 'AS' || !/^(?:WHERE|PREWHERE|GROUP|ORDER|HAVING|LIMIT|SETTINGS|FORMAT|FINAL|SAMPLE)$/.test(behind.value)) ? '' : ` AS ${quoteName(table)}`
  const rest = query.slice(end).replace(/\s+FORMAT\s+\w+\s*;?\s*$/i, '')
  return `${query.slice(0, first.start)}${name}${alias}${rest}`
}

/** Whether the answer is the same each time: no limit without an order, nothing by chance or by the clock. */
function isDeterministic(query: string): boolean {
  return !/\b(?:rand|now|today|any|sample)\w*\s*\(/i.test(query) && !/\bLIMIT\b/i.test(query) && questionParts(query).isPlain
}
