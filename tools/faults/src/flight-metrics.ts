import { type ClickHouseAdapter, createAnalyticsService, createMetricsLayer, createRollupManager, defineMetrics, type MetricQuestion } from '@smart-whale/clickhouse'
import { readFlights, type SampleSize } from '../../../apps/standalone/src/sample/sample-files.ts'

/** The flights of the sample, and what is kept of them by day. */
const flights = defineMetrics({
  sources: { flights: { table: 'flights', time: 'time' } },
  dimensions: { origin: { source: 'flights' }, is_late: { source: 'flights', of: { sql: 'delay > 15' } } },
  metrics: {
    flights: { source: 'flights', measure: 'count' },
    mean_delay: { source: 'flights', measure: 'avg', of: 'delay' },
    worst_delay: { source: 'flights', measure: 'max', of: 'delay' },
    miles: { source: 'flights', measure: 'sum', of: 'distance' },
    destinations: { source: 'flights', measure: 'uniq', of: 'destination' },
    late_flights: { source: 'flights', measure: 'count', where: { is_late: true } },
    late_share: { measure: 'ratio', of: 'late_flights', per: 'flights' },
  },
  rollups: {
    daily: { source: 'flights', grain: 'day', metrics: ['flights', 'mean_delay', 'worst_delay', 'miles', 'destinations', 'late_share'] },
    daily_by_origin: { source: 'flights', grain: 'day', dimensions: ['origin'], metrics: ['flights', 'mean_delay', 'worst_delay', 'miles', 'late_share'] },
  },
})

const HALF_A_YEAR = { from: '2001-01-01', to: '2001-07-01' } as const
const QUESTIONS: Readonly<Record<string, MetricQuestion>> = {
  'flights, mean and worst delay by day': { metrics: ['flights', 'mean_delay', 'worst_delay'], ...HALF_A_YEAR, grain: 'day' },
  'destinations by week': { metrics: ['destinations'], ...HALF_A_YEAR, grain: 'week' },
  'late flights by day, in March': { metrics: ['late_share'], from: '2001-03-01', to: '2001-04-01', grain: 'day' },
  'miles by month, of the ten largest airports': { metrics: ['miles'], ...HALF_A_YEAR, grain: 'month', by: ['origin'], top: { n: 10, other: true } },
}

/** What one question reads of the source and of its rollup. */
export interface FlightFigure {
  readonly question: string
  readonly rollup: string
  readonly areEqual: boolean
  readonly raw: { readonly rows: number; readonly bytes: number }
  readonly rolledUp: { readonly rows: number; readonly bytes: number }
}

/** Loads the sample's flights, makes rollups of them, and asks the same of both. */
export async function flightFigures(adapter: ClickHouseAdapter, size: SampleSize, tell: (line: string) => void): Promise<readonly FlightFigure[]> {
  await adapter.execute("CREATE TABLE flights (id Int64, time DateTime64(3, 'UTC'), delay Int32, distance Int32, origin String, destination String) ENGINE = MergeTree ORDER BY (time, id)")
  let loaded = 0
  for await (const events of readFlights(size, () => true)) {
    const rows = events.map(({ value }) => {
      const flight = JSON.parse(value) as { id: number; time: string }
      return { ...flight, time: new Date(flight.time) }
    })
    await adapter.insert('flights', rows)
    loaded += rows.length
  }
  for (const { rollup, rows } of await createRollupManager(flights, { adapter }).apply()) tell(`${rollup} made of ${rows} of ${loaded} flights`)
  const analyticsService = createAnalyticsService(adapter, { cache: false })
  const layer = createMetricsLayer(flights, { analyticsService, adapter })
  const figures: FlightFigure[] = []
  for (const [question, asked] of Object.entries(QUESTIONS)) {
    const [rolledUp, raw] = [await layer.ask(asked as never), await layer.ask({ ...(asked as { metrics: ['flights']; period: 'today' }), route: 'raw' })]
    const of = ({ route }: typeof raw) => ({ rows: route.rowsRead ?? 0, bytes: route.bytesRead ?? 0 })
    const text = (answer: object): string => JSON.stringify(answer, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    figures.push({ question, rollup: rolledUp.route.name, areEqual: text(rolledUp.rows) === text(raw.rows), raw: of(raw), rolledUp: of(rolledUp) })
  }
  await analyticsService.close()
  return figures
}
