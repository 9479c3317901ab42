import type { Formula } from '../definition/formula.ts'
import type { MeasureModel } from '../definition/metrics-model.ts'

/**
 * A measure in three forms: over the rows themselves, as the state that a rollup keeps, and over such states. All measures can be
 * brought together from their states; those that no sum could answer, uniq and quantiles, are kept as sketches or whole.
 */
export interface MeasureSql {
  readonly raw: string
  readonly state: string
  merge(column: string): string
}

/**
 * @param condition rows that count at all, as SQL that is 0 or 1; undefined when all do
 */
export function measureSql(measure: MeasureModel, condition: string | undefined): MeasureSql {
  const { of } = measure
  switch (measure.measure) {
    case 'count':
      return countSql(condition)
    case 'sum':
      return orZero(simpleSql('sum', 'sum', of, condition))
    case 'min':
      return simpleSql('min', 'minOrNull', of, condition)
    case 'max':
      return simpleSql('max', 'maxOrNull', of, condition)
    case 'avg':
      return stateSql('avgOrNull', '', of, condition)
    case 'uniq':
      return stateSql('uniqCombined64', '', of, condition)
    case 'uniqExact':
      return stateSql('uniqExact', '', of, condition)
    case 'quantile':
      // Both are the same however the rows were brought together, which the faster ones (t-digest, reservoir) are not.
      return measure.accuracy === undefined
        ? stateSql('quantileExactOrNull', `(${measure.level})`, of, condition)
        : stateSql('quantileDDOrNull', `(${measure.accuracy}, ${measure.level})`, of, condition)
  }
}

/** How many rows there are that fulfil a condition. */
export function countSql(condition: string | undefined): MeasureSql {
  return {
    raw: condition === undefined ? 'count()' : `countIf(${condition})`,
    state: condition === undefined ? 'sumSimpleState(toUInt64(1))' : `sumSimpleState(toUInt64(${condition}))`,
    merge: (column) => `sum(${column})`,
  }
}

/** Aggregates whose state is their value; with a condition it has to know whether there was any. */
function simpleSql(simple: string, name: string, of: string, condition: string | undefined): MeasureSql {
  if (condition !== undefined) return stateSql(name, '', of, condition)
  return { raw: `${name}(${of})`, state: `${simple}SimpleState(${of})`, merge: (column) => `${name}(${column})` }
}

function stateSql(name: string, parameters: string, of: string, condition: string | undefined): MeasureSql {
  const [suffix, list] = condition === undefined ? ['', `(${of})`] : ['If', `(${of}, ${condition})`]
  return {
    raw: `${name}${suffix}${parameters}${list}`,
    state: `${name}State${suffix}${parameters}${list}`,
    merge: (column) => `${name}Merge${parameters}(${column})`,
  }
}

/** The sum of nothing is 0, also where the column may be null. */
function orZero({ raw, state, merge }: MeasureSql): MeasureSql {
  return { raw: `ifNull(${raw}, 0)`, state, merge: (column) => `ifNull(${merge(column)}, 0)` }
}

/** A formula over measures; what is divided by 0 is null. */
export function formulaSql(formula: Formula, measureOf: (name: string) => string): string {
  if (formula.kind === 'number') return `toFloat64(${formula.value})`
  if (formula.kind === 'metric') return `toFloat64(${measureOf(formula.name)})`
  const [left, right] = [formulaSql(formula.left, measureOf), formulaSql(formula.right, measureOf)]
  return formula.operator === '/' ? `(${left} / nullIf(${right}, 0))` : `(${left} ${formula.operator} ${right})`
}
