/** A point of a series, as a chart asks for it. */
export interface Point {
  readonly time: string
  readonly value: number
  readonly low: number
  readonly high: number
  readonly events: number
}

const START = Date.UTC(2026, 0, 1)

/** 50 points of 5 fields. */
export const POINTS: readonly Point[] = Array.from({ length: 50 }, (_, index) => ({
  time: new Date(START + index * 3_600_000).toISOString().replace('.000Z', 'Z'),
  value: 100 + index / 4,
  low: 90 + index / 8,
  high: 120 + index / 2,
  events: 1_000 + index * 37,
}))

/** Asks for all of them. */
export const POINTS_DOCUMENT = '{ points { time value low high events } }'

/** The type of a point and its field, as each server has them. */
export const POINTS_SDL = `type Point { time: String! value: Float! low: Float! high: Float! events: Int! }`

/** A statement whose answer is the points. */
export const POINTS_QUERY = `SELECT
  formatDateTime(toDateTime('2026-01-01 00:00:00', 'UTC') + INTERVAL number HOUR, '%Y-%m-%dT%H:%i:%SZ', 'UTC') AS time,
  100 + number / 4 AS value, 90 + number / 8 AS low, 120 + number / 2 AS high, toInt32(1000 + number * 37) AS events
FROM numbers(50)`
