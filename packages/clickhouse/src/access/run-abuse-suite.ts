import { ABUSE_CASES } from './abuse-cases/index.ts'
import type { AbuseCase } from './abuse-cases/abuse-case.ts'

/** What an interface answered, whichever it is. */
export interface AbuseAnswer {
  /** Whether there was data, however little. */
  readonly answered: boolean
  /** The data, as text; empty for a refusal. */
  readonly data: string
  /** The code of a refusal. */
  readonly code?: string | undefined
  /** The words of a refusal. */
  readonly message?: string | undefined
}

/** What stands where the cases have places. */
export interface AbusePlaces {
  readonly table: string
  readonly other: string
  readonly foreign: string
  readonly file: string
  readonly port: string
  readonly user: string
}

/** Columns of the table. */
export interface AbuseColumns {
  readonly tenant: string
  readonly id: string
  readonly secret: string
}

/** What {@link runAbuseSuite} needs. */
export interface AbuseSuiteOptions {
  /** Sends a query as the tenant, by REST, by GraphQL or straight. @default none, required */
  ask: (query: string, params: Readonly<Record<string, unknown>> | undefined) => Promise<AbuseAnswer>
  /** What stands where the cases have places. @default none, required */
  places: AbusePlaces
  /** Columns of the table that stand for those of the cases, where they are called otherwise. @default { tenant: 'tenant', id: 'id', secret: 'secret' } */
  columns?: AbuseColumns | undefined
  /** Texts that stand in foreign rows, files and tables: none may come back, in data or words. @default none, required */
  canaries: readonly string[]
  /** Values that may stand in no data: another tenant's name, how many rows it has. @default [] */
  foreignValues?: readonly string[] | undefined
  /** Texts that no refusal may speak: host, version, address, users. @default [] */
  secrets?: readonly string[] | undefined
  /** Which cases. @default all */
  cases?: readonly AbuseCase[] | undefined
  /** How many run at once. @default 4 */
  concurrency?: number | undefined
}

/** A case that got what it was after. */
export interface AbuseFinding {
  readonly case: AbuseCase
  readonly query: string
  readonly what: string
}

/** Runs the cases. @returns those that got through; none is how it should be */
export async function runAbuseSuite(options: AbuseSuiteOptions): Promise<AbuseFinding[]> {
  const findings: AbuseFinding[] = []
  const remaining = (options.cases ?? ABUSE_CASES).values()
  // All workers draw from the one iterator.
  const work = async (): Promise<void> => {
    for (const abuse of remaining) findings.push(...(await tryCase(abuse, options)))
  }
  await Promise.all(Array.from({ length: options.concurrency ?? 4 }, work))
  return findings
}

async function tryCase(abuse: AbuseCase, options: AbuseSuiteOptions): Promise<AbuseFinding[]> {
  const query = fill(named(abuse.query, options.columns), options.places)
  const answer = await options.ask(query, abuse.params === undefined ? undefined : filledParams(abuse.params, options.places))
  const findings = [...judge(abuse, answer, options), ...(abuse.category === 'error texts' ? await tellsApart(abuse, answer, options) : [])]
  return findings.map((what) => ({ case: abuse, query, what }))
}

function* judge(abuse: AbuseCase, { answered, data, message = '' }: AbuseAnswer, { canaries, foreignValues = [], secrets = [] }: AbuseSuiteOptions): Iterable<string> {
  if (answered && abuse.mayAnswer !== true && !isEmptyList(data)) yield `it was answered: ${data.slice(0, 200)}`
  for (const canary of canaries) if (data.includes(canary) || message.includes(canary)) yield `"${canary}" came back`
  for (const value of foreignValues) if (new RegExp(`["\\s:,[]${value}["\\s,}\\]]`).test(data)) yield `the foreign value ${value} came back: ${data.slice(0, 200)}`
  for (const secret of secrets) if (data.includes(secret) || message.includes(secret)) yield `it was told "${secret}"`
}

const isEmptyList = (data: string): boolean => data === '[]'

/** What isn't there and what may not be read must be refused in the same words, or one could ask what there is. */
async function tellsApart(abuse: AbuseCase, answer: AbuseAnswer, { ask, places, columns }: AbuseSuiteOptions): Promise<string[]> {
  if (!abuse.query.includes('<other>')) return []
  const [database] = places.other.split('.')
  const missing = await ask(fill(named(abuse.query, columns), { ...places, other: `${database}.no_such_table` }), abuse.params)
  const same = missing.code === answer.code && missing.message === answer.message
  return same ? [] : [`a table that isn't there is refused otherwise: ${missing.code} ${missing.message}, and not ${answer.code} ${answer.message}`]
}

const named = (text: string, columns: AbuseColumns | undefined): string => (columns === undefined ? text : text.replaceAll(/\b(tenant|id|secret)\b/g, (_word, name: keyof AbuseColumns) => columns[name]))

const fill = (text: string, places: AbusePlaces): string => text.replaceAll(/<(table|other|foreign|file|port|user)>/g, (_place, name: keyof AbusePlaces) => places[name])

function filledParams(params: Readonly<Record<string, unknown>>, places: AbusePlaces): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, typeof value === 'string' ? fill(value, places) : value]))
}
