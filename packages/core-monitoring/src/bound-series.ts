import type { MetricLabels } from '@smart-whale/interfaces'

/** Label value of what no longer has a series of its own. */
export const FOLDED = 'other'

/** What {@link createSeriesBound} is made from. */
interface SeriesRules<Series> {
  /** Names that the labels of a series have. */
  readonly labelNames: readonly string[]
  /** Most series, not counting the one that the others fold into. */
  readonly maxSeries: number
  /** Makes the series of one combination of values. */
  readonly open: (labels: Readonly<Record<string, string>>) => Series
  /** Told of each measurement that has no series of its own. */
  readonly onFold: () => void
}

/**
 * Finds the series of a combination of label values, and opens at most so many: a label that takes ever new values would otherwise fill
 * the memory here and in Prometheus. Unknown labels are left out, missing ones are empty.
 */
export function createSeriesBound<Series>(rules: SeriesRules<Series>): (labels: MetricLabels) => Series {
  const { labelNames, maxSeries, open, onFold } = rules
  const known = new Map<string, Series>()
  let folded: Series | undefined

  const openFor = (valueOf: (name: string) => string): Series => open(Object.fromEntries(labelNames.map((name) => [name, valueOf(name)])))

  return (labels) => {
    const valueOf = (name: string): string => String(labels[name] ?? '')
    const key = labelNames.length === 1 ? valueOf(labelNames[0] as string) : labelNames.map(valueOf).join('\u0000')
    const series = known.get(key)
    if (series !== undefined) return series
    if (known.size >= maxSeries) {
      onFold()
      return (folded ??= openFor(() => FOLDED))
    }
    const opened = openFor(valueOf)
    known.set(key, opened)
    return opened
  }
}
