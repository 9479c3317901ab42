import { InfrastructureError, systemClock } from '@smart-whale/interfaces'
import type { AnalyticsResult, CacheState } from '../../analytics/analytics-query.ts'
import { canonical } from '../../stable-digest.ts'
import { type CohortQuestion, compileCohorts } from '../compile/compile-cohorts.ts'
import { compileFunnel, type FunnelQuestion } from '../compile/compile-funnel.ts'
import { type CompiledQuestion, compileQuestion } from '../compile/compile-question.ts'
import type { AskOptions, MetricQuestion } from '../compile/metric-question.ts'
import { planQuestion, type QuestionPlan } from '../compile/question-plan.ts'
import { shapeQuestion } from '../compile/question-shape.ts'
import { rawRelation, type Relation, rollupRelation } from '../compile/relation.ts'
import type { Bind } from '../compile/bind-values.ts'
import type { DefinedMetrics } from '../definition/define-metrics.ts'
import type { DimensionName, MetricName, MetricsDefinition, SourceName } from '../definition/metric-definition.ts'
import type { MetricsModel } from '../definition/metrics-model.ts'
import type { Span } from '../periods/grain-edges.ts'
import { formatInstant } from '../periods/zoned-time.ts'
import { chooseRoute, type ChosenRoute, type Route } from '../rewrite/choose-route.ts'
import { type KnownRollup, RollupCatalogue } from '../rollups/rollup-catalogue.ts'
import { type AnsweredPeriod, degradedOf, type DegradedMetrics, type MetricAnswer, type MetricTotals, sumStatistics } from './metric-answer.ts'
import type { MetricsLayerOptions } from './metrics-options.ts'
import { type Cohort, type FunnelStep, readCohorts, readFunnel } from './paths-answer.ts'
import { assembleRows, readGroups, valuesByName } from './shape-rows.ts'

/** Answers questions about defined metrics, each from the smallest table that answers it exactly. */
export interface MetricsLayer<D extends MetricsDefinition = MetricsDefinition> {
  readonly metrics: DefinedMetrics<D>
  /**
   * Answers a question.
   * @throws ValidationError `ERR_CLICKHOUSE_METRIC_QUESTION` that names each wrong field, or what the analytics service throws
   */
  ask<const M extends MetricName<D>, const By extends DimensionName<D> = never>(
    question: MetricQuestion<M, DimensionName<D>> & { readonly by?: readonly By[] | undefined },
    options?: AskOptions,
  ): Promise<MetricAnswer<M, By>>
  /** The statement that a question becomes, and where it goes; nothing is asked of the tables. */
  explain(question: MetricQuestion<MetricName<D>, DimensionName<D>>, options?: AskOptions): Promise<CompiledQuestion & { readonly route: Route }>
  /** How far entities get through steps that follow each other; asked of the source itself. */
  askFunnel(question: FunnelQuestion<SourceName<D>, DimensionName<D>>, options?: AskOptions): Promise<PathsAnswer<FunnelStep>>
  /** Who came first when, and who of them came again; asked of the source itself, from its beginning on. */
  askCohorts(question: CohortQuestion<SourceName<D>, DimensionName<D>>, options?: AskOptions): Promise<PathsAnswer<Cohort>>
  /** Looks for rollups anew: call it after they were made or dropped. */
  refreshRollups(): void
}

/** Answer about what entities do one after the other. */
export interface PathsAnswer<Part> {
  readonly rows: readonly Part[]
  readonly period: AnsweredPeriod
  readonly cache: CacheState
  readonly rowsRead: number | null
  readonly bytesRead: number | null
  /** Set when the caller's quota is spent: the answer is the one from before. */
  readonly degraded?: DegradedMetrics | undefined
}

/**
 * Makes a {@link MetricsLayer}.
 * @example
 * const layer = createMetricsLayer(shop, { analyticsService, adapter: reader })
 * const { rows, route } = await layer.ask({ metrics: ['revenue'], period: 'last_month', grain: 'day', by: ['country'] })
 */
export function createMetricsLayer<D extends MetricsDefinition>(metrics: DefinedMetrics<D>, options: MetricsLayerOptions): MetricsLayer<D> {
  return new RoutedMetrics(metrics, options) as unknown as MetricsLayer<D>
}

class RoutedMetrics {
  readonly metrics: DefinedMetrics
  readonly #model: MetricsModel
  readonly #options: MetricsLayerOptions
  readonly #catalogue: RollupCatalogue
  readonly #maxAgeMs: number
  /** Rollups that the server refused to a reader, by when it is tried again. */
  readonly #outOfReach = new Map<string, number>()

  constructor(metrics: DefinedMetrics, options: MetricsLayerOptions) {
    this.metrics = metrics
    this.#model = metrics.model
    this.#options = options
    const { adapter, clock = systemClock, rollupsMaxAgeMs = 10_000 } = options
    this.#maxAgeMs = rollupsMaxAgeMs
    this.#catalogue = new RollupCatalogue(metrics.model, adapter, { clock, maxAgeMs: rollupsMaxAgeMs })
  }

  async ask(question: MetricQuestion, options: AskOptions = {}): Promise<MetricAnswer> {
    const plan = this.#plan(question, options)
    const refused = new Set<string>()
    for (;;) {
      const chosen = await this.#route(plan, options, refused)
      try {
        return await this.#answer(plan, chosen, options)
      } catch (error) {
        if (chosen.rollup === undefined || !isOutOfReach(error)) throw error
        refused.add(chosen.rollup.name)
        this.#leaveOut(chosen.rollup.name, options)
      }
    }
  }

  async #answer(plan: QuestionPlan, chosen: ChosenRoute, options: AskOptions): Promise<MetricAnswer> {
    const [now, before] = await Promise.all([
      this.#run(this.#compile(plan, chosen, plan.span), options),
      plan.compared && this.#run(this.#compile(plan, chosen, plan.compared.span), options),
    ])
    const results = before === undefined ? [now] : [now, before]
    const groups = readGroups(plan, now.data, plan.starts)
    const groupsBefore = before && readGroups(plan, before.data, plan.compared?.starts ?? [])
    const totals = groups.totals && {
      ...valuesByName(plan, groups.totals),
      ...(groupsBefore?.totals === undefined ? {} : { previous: valuesByName(plan, groupsBefore.totals) }),
    }
    return {
      rows: assembleRows(plan, groups, groupsBefore),
      ...(totals === undefined ? {} : { totals: totals as MetricTotals }),
      truncated: groups.truncated,
      period: periodOf(plan.span, plan.zone),
      ...(plan.compared === undefined ? {} : { comparedWith: periodOf(plan.compared.span, plan.zone) }),
      route: { ...chosen.route, ...sumStatistics(results.map(({ statistics }) => statistics)) },
      cache: now.cache,
      ...degradedOf(results),
    }
  }

  async explain(question: MetricQuestion, options: AskOptions = {}): Promise<CompiledQuestion & { readonly route: Route }> {
    const plan = this.#plan(question, options)
    const chosen = await this.#route(plan, options)
    return { ...this.#compile(plan, chosen, plan.span), route: chosen.route }
  }

  async askFunnel(question: FunnelQuestion, options: AskOptions = {}): Promise<PathsAnswer<FunnelStep>> {
    const compiled = compileFunnel(this.#model, question, options.rowFilter ?? this.#options.rowFilter, this.#now())
    const answer = await this.#run(compiled, options)
    return { rows: readFunnel(compiled, answer.data), ...pathsFacts(answer, compiled.plan) }
  }

  async askCohorts(question: CohortQuestion, options: AskOptions = {}): Promise<PathsAnswer<Cohort>> {
    const compiled = compileCohorts(this.#model, question, options.rowFilter ?? this.#options.rowFilter, this.#now())
    const answer = await this.#run(compiled, options)
    return { rows: readCohorts(compiled, answer.data), ...pathsFacts(answer, compiled.plan) }
  }

  refreshRollups(): void {
    this.#catalogue.forget()
  }

  #plan(question: MetricQuestion, { rowFilter = this.#options.rowFilter }: AskOptions): QuestionPlan {
    return planQuestion(this.#model, shapeQuestion(question), rowFilter, this.#now())
  }

  #now(): number {
    return (this.#options.clock ?? systemClock).now()
  }

  async #route(plan: QuestionPlan, options: AskOptions, refused: ReadonlySet<string> = new Set()): Promise<ChosenRoute> {
    const { mayReadRollups = ({ level, tenant }) => level === undefined && tenant === undefined } = this.#options
    const now = this.#monotonic()
    const isWithinReach = (rollup: string): boolean => !refused.has(rollup) && (this.#outOfReach.get(readerKey(options, rollup)) ?? now) <= now
    const rollups = this.#catalogue.tables.filter((table) => mayReadRollups(options, table) && isWithinReach(table.rollup)).map(({ rollup }) => rollup)
    const known = rollups.length === 0 || plan.route === 'raw' ? new Map<string, KnownRollup>() : await this.#catalogue.known()
    return chooseRoute(this.#model, plan, known, new Set(rollups))
  }

  /** A rollup has gone since it was looked for; or the rights of the reader's user are older than the definition. */
  #leaveOut(rollup: string, options: AskOptions): void {
    this.#outOfReach.set(readerKey(options, rollup), this.#monotonic() + this.#maxAgeMs)
    this.#catalogue.forget()
  }

  #monotonic(): number {
    return (this.#options.clock ?? systemClock).monotonic()
  }

  #compile(plan: QuestionPlan, { route, rollup }: ChosenRoute, span: Span): CompiledQuestion {
    const relation = (bind: Bind): Relation =>
      rollup === undefined ? rawRelation(this.#model, plan.source, bind) : rollupRelation(this.#model, rollup, route.table)
    return compileQuestion(this.#model, plan, relation, span)
  }

  #run({ query, params }: CompiledQuestion, { rowFilter: _rowFilter, ...options }: AskOptions): Promise<AnalyticsResult> {
    return this.#options.analyticsService.executeAnalyticsQuery({ query, params, options })
  }
}

/** Whom the server knows as one. */
const readerKey = ({ level, role }: AskOptions, rollup: string): string => canonical([level, role, rollup])

/** In the words for everybody, and in those for tenants. */
function isOutOfReach(error: unknown): boolean {
  const { code } = InfrastructureError.isInstance(error) ? error : { code: undefined }
  return code === 'ERR_CLICKHOUSE_PERMISSION_DENIED' || code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT'
}

function periodOf({ fromMs, toMs }: Span, zone: string): AnsweredPeriod {
  return { from: formatInstant(fromMs, zone), to: formatInstant(toMs, zone), timeZone: zone }
}

function pathsFacts(answer: AnalyticsResult, { span, zone }: { readonly span: Span; readonly zone: string }): Omit<PathsAnswer<never>, 'rows'> {
  const { cache, statistics } = answer
  return { period: periodOf(span, zone), cache, rowsRead: statistics?.rowsRead ?? null, bytesRead: statistics?.bytesRead ?? null, ...degradedOf([answer]) }
}
