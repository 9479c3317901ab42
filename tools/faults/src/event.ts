import type { OutgoingRecord } from '@smart-whale/messaging'

/** How many different keys events have: few enough that each has many events, many enough for every partition. */
export const STATIONS = 64

/** The pipeline that takes these events into both stores. */
export const EVENT_PIPELINE = {
  topic: 'events',
  fields: { seq: 'int64', at: 'timestamp', station: 'string', value: 'float64', note: 'string' },
  time: 'at',
  id: 'seq',
  key: 'station',
  partitions: 4,
  limits: { maxRows: 5000, maxAgeMs: 200 },
} as const

const FIRST_EVENT_MS = Date.UTC(2026, 0, 1)

/** The event of a number: the same one each time, about 200 bytes. */
export function eventOf(sequence: number): OutgoingRecord {
  const station = `station-${sequence % STATIONS}`
  const event = { seq: sequence, at: new Date(FIRST_EVENT_MS + sequence * 10).toISOString(), station, value: (sequence % 1000) / 4, note: `reading ${sequence} of the morning round, nothing to report` }
  return { key: station, value: JSON.stringify(event) }
}
