import { type Bulkhead, createBulkhead, exponentialBackoff } from '@smart-whale/core-resilience'
import { type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { OperationalError } from '../../operational-errors.ts'
import { canonical } from '../../stable-digest.ts'
import type { MetricAnswer } from '../answer/metric-answer.ts'
import type { MetricsLayer } from '../answer/metrics-layer.ts'
import type { AskOptions, MetricQuestion, RowCondition } from '../compile/metric-question.ts'
import { questionRefusal, shapeQuestion, type ShapedQuestion } from '../compile/question-shape.ts'
import type { DimensionName, MetricName, MetricsDefinition } from '../definition/metric-definition.ts'
import { LiveFollower } from './live-follower.ts'
import type { LiveMetricEvent } from './live-events.ts'
import { checkLiveLimits, type FollowOptions, type LiveLimits, type LiveMetricsOptions } from './live-options.ts'
import { LiveQuestion } from './live-question.ts'
import { VersionedAnswer } from './versioned-answer.ts'

/** Follows questions about metrics. */
export interface LiveMetrics<D extends MetricsDefinition = MetricsDefinition> {
  /**
   * The answer to a question, and from then on what changes in it. The first event is a snapshot; for who comes back with a version that is
   * still known, the difference from it. Ends when the signal is aborted, when it is returned from, and when the live metrics are closed.
   * The first `next` throws what `ask` would, or `OperationalError` `ERR_CLICKHOUSE_LIVE_FULL`.
   */
  follow(question: MetricQuestion<MetricName<D>, DimensionName<D>>, options?: FollowOptions): AsyncIterableIterator<LiveMetricEvent, undefined>
  /** What is followed now. */
  readonly load: LiveLoad
  /** Ends every iteration and everything that runs. May be called twice. */
  close(): void
}

/** How much is followed. */
export interface LiveLoad {
  readonly questions: number
  readonly subscribers: number
  /** Questions without subscribers whose states are kept. */
  readonly idle: number
}

/**
 * Makes {@link LiveMetrics} over a layer.
 * @example
 * const live = createLiveMetrics(layer, { tables: analyticsService })
 * for await (const event of live.follow({ metrics: ['revenue'], period: 'today', by: ['country'] }, { signal })) show(event)
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option
 */
export function createLiveMetrics<D extends MetricsDefinition>(layer: LiveLayer<D>, options: LiveMetricsOptions = {}): LiveMetrics<D> {
  return new FollowedMetrics(layer as unknown as AskedLayer, options) as unknown as LiveMetrics<D>
}

/** What answers the questions: a metrics layer. */
export type LiveLayer<D extends MetricsDefinition = MetricsDefinition> = Pick<MetricsLayer<D>, 'metrics'> & { ask(question: never, options?: AskOptions): Promise<unknown> }

type AskedLayer = Pick<MetricsLayer, 'metrics'> & { ask(question: MetricQuestion, options: AskOptions): Promise<MetricAnswer> }

/** A question that is or was followed. */
interface Followed {
  readonly id: string
  /** Whose rows it is about; undefined where nobody's are told apart. */
  readonly tenant: string | undefined
  readonly table: string
  readonly question: LiveQuestion
}

class FollowedMetrics implements LiveMetrics {
  readonly #layer: AskedLayer
  readonly #limits: LiveLimits
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #turns: Bulkhead
  readonly #stopWatching: (() => void) | undefined
  readonly #active = new Map<string, Followed>()
  /** The one that was left last at the end. */
  readonly #idle = new Map<string, Followed>()
  readonly #followers = new Set<LiveFollower>()
  #closed = false

  constructor(layer: AskedLayer, options: LiveMetricsOptions) {
    this.#layer = layer
    this.#limits = checkLiveLimits(options)
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger ?? silentLogger
    const { maxConcurrent, maxQuestions, timeoutMs } = this.#limits
    this.#turns = createBulkhead({ name: 'live metrics', maxConcurrent, maxQueued: maxQuestions, maxWaitMs: timeoutMs, clock: this.#clock })
    this.#stopWatching = options.tables?.watchTables((tables) => this.#written(tables))
  }

  get load(): LiveLoad {
    return { questions: this.#active.size, subscribers: this.#followers.size, idle: this.#idle.size }
  }

  follow(question: MetricQuestion, { lastVersion, signal, rowFilter, ...asWhom }: FollowOptions = {}): LiveFollower {
    let joined: Followed | undefined
    const follower: LiveFollower = new LiveFollower({
      lastVersion,
      signal,
      join: () => {
        joined = this.#join(shapeQuestion(question), rowFilter, asWhom)
        this.#followers.add(follower)
        return joined.question
      },
      leave: () => {
        this.#followers.delete(follower)
        if (joined !== undefined && joined.question.followers === 0) this.#rest(joined)
      },
    })
    return follower
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopWatching?.()
    for (const follower of [...this.#followers]) follower.end()
    this.#idle.clear()
    this.#turns.dispose()
  }

  #join(asked: ShapedQuestion, rowFilter: AskOptions['rowFilter'], asWhom: AskOptions): Followed {
    const { maxSubscribers, maxRows } = this.#limits
    if (this.#closed) throw new OperationalError('the live metrics are closed; follow those of a running process', { code: 'ERR_CLICKHOUSE_CLOSED' })
    if (this.#followers.size >= maxSubscribers) throw full(`there are ${maxSubscribers} subscribers already (maxSubscribers)`)
    if (asked.limit !== undefined && asked.limit > maxRows) throw questionRefusal([{ path: ['limit'], message: `must be at most ${maxRows} for a question that is followed` }])

    const question = { ...asked, limit: asked.limit ?? maxRows } as MetricQuestion
    const { source, table } = this.#sourceOf(question)
    // The rows that the reader may see are settled when it comes: what is shared and kept must not depend on when it is asked.
    const conditions = rowFilter?.(source)
    const tenant = asWhom.tenant === undefined && conditions === undefined ? undefined : canonical([asWhom.tenant, conditions])
    const id = canonical([tenant, asWhom.level, asWhom.scope, asWhom.role, question])
    const known = this.#active.get(id) ?? this.#idle.get(id)
    if (!this.#active.has(id)) this.#refuseWithoutRoom(tenant)
    const followed = known ?? { id, tenant, table, question: this.#open(question, conditions, asWhom) }
    this.#idle.delete(id)
    this.#active.set(id, followed)
    return followed
  }

  #refuseWithoutRoom(tenant: string | undefined): void {
    const { maxQuestions, maxQuestionsPerTenant } = this.#limits
    if (this.#active.size >= maxQuestions) throw full(`${maxQuestions} questions are followed already (maxQuestions)`)
    if (tenant === undefined) return
    const own = [...this.#active.values()].filter((other) => other.tenant === tenant)
    if (own.length >= maxQuestionsPerTenant) throw full(`${maxQuestionsPerTenant} questions about these rows are followed already (maxQuestionsPerTenant)`)
  }

  #open(question: MetricQuestion, conditions: readonly RowCondition[] | undefined, asWhom: AskOptions): LiveQuestion {
    const { timeoutMs, pollMs, minIntervalMs, maxVersions, maxRows } = this.#limits
    const key = [...(question.grain === undefined ? [] : ['time']), ...(question.by ?? []), ...(question.top?.other === true ? ['other'] : [])]
    const rowFilter = conditions === undefined ? {} : { rowFilter: () => conditions }
    return new LiveQuestion({
      ask: (signal) => this.#layer.ask(question, { ...asWhom, ...rowFilter, signal, timeoutMs, cache: false }),
      answer: new VersionedAnswer(key, { maxVersions, maxRemovals: 2 * maxRows }),
      turns: this.#turns,
      backoff: exponentialBackoff({ baseMs: 500, maxMs: 30_000, jitter: 'equal' }),
      pollMs,
      minIntervalMs,
      clock: this.#clock,
      logger: this.#logger,
    })
  }

  /** Nobody follows it any more; its states are kept for a while, for who was cut off. */
  #rest(followed: Followed): void {
    if (this.#active.get(followed.id) !== followed) return
    this.#active.delete(followed.id)
    if (this.#closed || followed.question.answer.sequence === 0) return
    this.#idle.set(followed.id, followed)
    const oldest = this.#idle.keys().next().value
    if (this.#idle.size > this.#limits.maxIdleQuestions && oldest !== undefined) this.#idle.delete(oldest)
  }

  #sourceOf({ metrics }: MetricQuestion): { readonly source: string; readonly table: string } {
    const { model } = this.#layer.metrics
    const metric = model.metrics.get(metrics[0] ?? '')
    if (metric === undefined) throw questionRefusal([{ path: ['metrics', 0], message: `there is no metric "${metrics[0]}"` }])
    return { source: metric.source, table: nameOf(model.sources.get(metric.source)?.table ?? '') }
  }

  #written(tables: readonly string[]): void {
    const names = new Set(tables.map(nameOf))
    for (const { table, question } of this.#active.values()) if (names.has(table)) question.written()
  }
}

/** Without its database: an asking too many does no harm. */
function nameOf(table: string): string {
  return table.slice(table.lastIndexOf('.') + 1).replaceAll(/[`"]/g, '')
}

function full(what: string): OperationalError {
  return new OperationalError(`${what}; come back later`, { code: 'ERR_CLICKHOUSE_LIVE_FULL', retryable: true, status: 503 })
}
