import type { AnalyticsQuery } from '../analytics/analytics-query.ts'
import type { AnalyticsService, PreparedQuery } from '../analytics/analytics-service.ts'
import type { AnalyticsReader } from './analytics-routes.ts'
import type { KnownBodies } from './known-bodies.ts'

/** Questions that are remembered, of all bodies and readers. Past it, all begin anew. */
const MAX_QUESTIONS = 10_000
/** A longer name for a reader, such as one made for a single request, comes once. */
const MAX_READER_LENGTH = 512

/** What a body asks, and the same question of each of its readers: what one may be given never depends on what another one asked. */
export class AskedQuestion {
  readonly #ready: (query: AnalyticsQuery) => PreparedQuery
  readonly #query: AnalyticsQuery
  readonly #byReader = new Map<string, PreparedQuery>()

  constructor(query: AnalyticsQuery, ready: (query: AnalyticsQuery) => PreparedQuery) {
    this.#query = query
    this.#ready = ready
  }

  /** The query as the reader asks it. */
  by({ role, scope, level, tenant }: AnalyticsReader): AnalyticsQuery {
    return { ...this.#query, options: { ...this.#query.options, role, scope, level, tenant } }
  }

  /** As {@link by}, ready to be asked again and again. @throws what the service throws for a query that is wrong or not allowed */
  readiedBy(reader: AnalyticsReader): PreparedQuery {
    const name = nameOf(reader)
    const known = this.#byReader.get(name)
    if (known !== undefined) return known
    const question = this.#ready(this.by(reader))
    if (name.length <= MAX_READER_LENGTH) this.#byReader.set(name, question)
    return question
  }
}

/** What requests ask. A body that comes again is checked once, and its question readied once for each reader. */
export class ReadyQuestions {
  readonly #service: AnalyticsService
  readonly #bodies: KnownBodies
  readonly #read: (body: unknown) => AnalyticsQuery
  #asked = new WeakMap<object, AskedQuestion>()
  #readied = 0

  /** @param read checks a body; throws a ValidationError that names what is wrong */
  constructor(service: AnalyticsService, bodies: KnownBodies, read: (body: unknown) => AnalyticsQuery) {
    this.#service = service
    this.#bodies = bodies
    this.#read = read
  }

  /** @throws ValidationError that names what is wrong with the body */
  askedBy(body: unknown): AskedQuestion {
    const known = this.#bodies.has(body) ? this.#asked.get(body) : undefined
    if (known !== undefined) return known
    const asked = new AskedQuestion(this.#read(body), (query) => this.#ready(query))
    if (this.#bodies.has(body)) this.#asked.set(body, asked)
    return asked
  }

  #ready(query: AnalyticsQuery): PreparedQuery {
    const question = this.#service.prepareQuery(query)
    this.#readied += 1
    if (this.#readied > MAX_QUESTIONS) {
      this.#asked = new WeakMap()
      this.#readied = 1
    }
    return question
  }
}

/** All that a reader is: two who differ in anything have different names. */
function nameOf({ role, scope, level, tenant }: AnalyticsReader): string {
  if (role === undefined && scope === undefined && level === undefined && tenant === undefined) return ''
  return JSON.stringify([role, scope, level, tenant])
}
