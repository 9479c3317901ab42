import { defineMetrics } from '@smart-whale/clickhouse'

/** What is asked of the sample's flights, and the rollups that most of it is answered from. */
export const FLIGHT_METRICS = defineMetrics({
  sources: { flights: { table: 'flights', time: 'time', description: 'A flight each, by its departure' } },
  dimensions: {
    origin: { source: 'flights', description: 'Airport that it left' },
    destination: { source: 'flights', description: 'Airport that it went to' },
  },
  metrics: {
    flights: { source: 'flights', measure: 'count' },
    delay: { source: 'flights', measure: 'avg', of: 'delay', description: 'Mean delay at arrival, in minutes' },
    distance: { source: 'flights', measure: 'sum', of: 'distance', description: 'Miles flown' },
    median_delay: { source: 'flights', measure: 'quantile', of: 'delay', level: 0.5, accuracy: 0.01, description: 'Half of the flights were later than this, in minutes' },
  },
  rollups: {
    flights_by_day: { source: 'flights', grain: 'day', metrics: ['flights', 'delay', 'distance', 'median_delay'] },
    flights_by_day_and_origin: { source: 'flights', grain: 'day', dimensions: ['origin'], metrics: ['flights', 'delay', 'distance'] },
  },
})
