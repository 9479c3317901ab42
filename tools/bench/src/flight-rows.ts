import { SeededRandom } from './seeded-random.ts'

/** A flight as the ingest path hands it to the stores. */
export interface FlightRow extends Record<string, unknown> {
  readonly id: number
  readonly time: Date
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
  readonly event_id: string
  readonly source_topic: string
  readonly source_partition: number
  readonly source_offset: number
}

/** Columns of that row in ClickHouse, as the ingestor makes them. */
export const CLICKHOUSE_FLIGHT_COLUMNS = `id Int64, time DateTime64(3, 'UTC'), delay Int32, distance Int32, origin String, destination String,
  event_id String, source_topic LowCardinality(String), source_partition Int32, source_offset Int64`

/** Columns of that row in PostgreSQL, as the ingestor makes them. */
export const POSTGRES_FLIGHT_COLUMNS = `id bigint not null, time timestamptz not null, delay integer not null, distance integer not null, origin text not null, destination text not null,
  event_id text not null, source_topic text not null, source_partition integer not null, source_offset bigint not null`

const AIRPORTS = ['ATL', 'BOS', 'DEN', 'DFW', 'IAH', 'JFK', 'LAX', 'MCO', 'ORD', 'PHX', 'SEA', 'SFO']

/** Flights that are the same in every run. */
export function flightRows(count: number): FlightRow[] {
  const random = new SeededRandom(2001)
  const start = Date.UTC(2001, 0, 1)
  return Array.from({ length: count }, (_, id) => ({
    id,
    time: new Date(start + id * 5_200),
    delay: random.below(120) - 20,
    distance: 100 + random.below(2_600),
    origin: random.pick(AIRPORTS),
    destination: random.pick(AIRPORTS),
    event_id: String(id),
    source_topic: 'flights',
    source_partition: id % 4,
    source_offset: Math.floor(id / 4),
  }))
}
