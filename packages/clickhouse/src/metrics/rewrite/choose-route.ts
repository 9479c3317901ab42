import type { MetricModel, MetricsModel, RollupModel } from '../definition/metrics-model.ts'
import type { QuestionPlan } from '../compile/question-plan.ts'
import { formatInstant } from '../periods/zoned-time.ts'
import { isEdge } from '../periods/grain-edges.ts'
import type { KnownRollup } from '../rollups/rollup-catalogue.ts'

/** Which table answers a question, and why no smaller one does. */
export interface Route {
  readonly source: 'rollup' | 'raw'
  /** The rollup's name, or the source's. */
  readonly name: string
  /** The table that is read. */
  readonly table: string
  /** Every rollup of the source that is not asked, with the reason. */
  readonly refused: readonly RefusedRollup[]
}

/** A rollup that can't answer a question exactly, or not as cheaply. */
export interface RefusedRollup {
  readonly name: string
  readonly reason: string
}

/** A rollup's table and the one that it is kept of. */
export interface RollupTable {
  readonly rollup: string
  /** `database.table`. */
  readonly table: string
  /** As the definition names it. */
  readonly source: string
}

/** Where a question goes. */
export interface ChosenRoute {
  readonly route: Route
  /** The smallest rollup that answers exactly; undefined when the source itself has to be asked. */
  readonly rollup: RollupModel | undefined
}

/**
 * Chooses where a question goes. A rollup answers it exactly when it keeps every measure and every dimension that the question
 * names, and when each of its buckets lies in one bucket of the question: then the states of its rows are those of the source's.
 * @param readable names of the rollups that the question's reader may read
 */
export function chooseRoute(model: MetricsModel, plan: QuestionPlan, known: ReadonlyMap<string, KnownRollup>, readable: ReadonlySet<string>): ChosenRoute {
  const refused: RefusedRollup[] = []
  let best: { readonly rollup: RollupModel; readonly found: KnownRollup } | undefined
  for (const rollup of model.rollups.values()) {
    if (rollup.source !== plan.source.name) continue
    const found = known.get(rollup.name)
    const reason = plan.route === 'raw' ? 'the question asks for the source itself' : (readProblem(rollup, readable) ?? stateProblem(found) ?? coverProblem(model, plan, rollup) ?? timeProblem(plan, rollup))
    if (reason !== undefined || found === undefined) refused.push({ name: rollup.name, reason: reason ?? 'is not built' })
    else if (best === undefined || found.rows < best.found.rows) {
      if (best !== undefined) refused.push(larger(best.rollup, rollup))
      best = { rollup, found }
    } else refused.push(larger(rollup, best.rollup))
  }
  if (best === undefined) return { route: { source: 'raw', name: plan.source.name, table: plan.source.table, refused }, rollup: undefined }
  return { route: { source: 'rollup', name: best.rollup.name, table: best.found.table, refused }, rollup: best.rollup }
}

/** Without the numbers, which would tell a tenant how much there is of all. */
function larger(rollup: RollupModel, best: RollupModel): RefusedRollup {
  return { name: rollup.name, reason: `has more rows than "${best.name}", which answers as well` }
}

function readProblem(rollup: RollupModel, readable: ReadonlySet<string>): string | undefined {
  return readable.has(rollup.name) ? undefined : 'the user that the question runs as may not read it (mayReadRollups)'
}

function stateProblem(found: KnownRollup | undefined): string | undefined {
  if (found === undefined) return 'is not built, or this user may not read it'
  return found.isFilled ? undefined : 'is still being filled'
}

function coverProblem(model: MetricsModel, plan: QuestionPlan, rollup: RollupModel): string | undefined {
  const measures = [...plan.metrics, ...(plan.top === undefined ? [] : [plan.top.by])].flatMap(measuresOf)
  const measure = measures.find((name) => !rollup.measures.includes(name))
  if (measure !== undefined) return `does not keep the metric "${measure}"`
  const dimension = [...plan.by, ...Object.keys(plan.where)].find((name) => !rollup.dimensions.includes(name))
  if (dimension !== undefined) return `does not keep the dimension "${dimension}"`
  const kept = new Set(rollup.dimensions.map((name) => model.dimensions.get(name)?.column))
  const column = plan.rowConditions.find((condition) => !kept.has(condition.column))?.column
  return column === undefined ? undefined : `does not keep the column "${column}", by which rows are kept from this caller`
}

function measuresOf(metric: MetricModel): readonly string[] {
  return metric.kind === 'measure' ? [metric.name] : metric.measures
}

/** Every place where the question cuts time must be one where the rollup does. */
function timeProblem(plan: QuestionPlan, rollup: RollupModel): string | undefined {
  const { span, zone, grain, compared } = plan
  const bounds = [span.fromMs, span.toMs, ...(compared === undefined ? [] : [compared.span.fromMs, compared.span.toMs])]
  const isSame = grain === rollup.grain && zone === rollup.timeZone
  // The first bucket may begin before the period does: it is not read that far.
  const inside = isSame ? [] : [...plan.starts.filter((start) => start > span.fromMs), ...(compared?.starts.filter((start) => start > compared.span.fromMs) ?? [])]
  const cut = [...bounds, ...inside].find((instant) => !isEdge(instant, rollup.grain, rollup.timeZone))
  if (cut === undefined) return undefined
  return `its ${rollup.grain.replace('_', ' ')}s in ${rollup.timeZone} do not divide the question's time at ${formatInstant(cut, zone)}`
}
