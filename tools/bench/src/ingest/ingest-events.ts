import { eventRows } from '../event-rows.ts'
import type { IngestShape } from './ingest-bench.ts'

/** How many different events there are; as many are one batch of every contender. */
export const BATCH_EVENTS = 10_000

/** Events as producers send them: JSON of about 480 bytes. */
export function ingestEvents(): Buffer[] {
  return eventRows(BATCH_EVENTS).map(({ event_id: id, ...event }) => Buffer.from(JSON.stringify({ id, ...event })))
}

/** What a pipeline is told of them. */
export const INGEST_FIELDS = {
  id: 'uuid',
  time: 'timestamp',
  tenant: 'string',
  user_id: 'int64',
  session_id: 'uuid',
  path: 'string',
  agent: 'string',
  referrer: 'string?',
  status: 'int32',
  duration_ms: 'float64',
  amount: 'decimal(12,2)',
  bot: 'boolean',
  tags: 'json',
} as const

/** The table that every contender fills: the fields, and where a row came from. */
const INGEST_COLUMNS = `id UUID, time DateTime64(3, 'UTC'), tenant String, user_id Int64, session_id UUID, path String, agent String, referrer Nullable(String), status Int32, duration_ms Float64,
  amount Decimal(12, 2), bot Bool, tags String, event_id String, source_topic LowCardinality(String), source_partition Int32, source_offset Int64`

/** Shows of a group of rows that they are one event, whole; where it was read is left out. */
const INGEST_FINGERPRINT = 'any(cityHash64(id, time, tenant, user_id, session_id, path, agent, ifNull(referrer, toString(1)), status, duration_ms, amount, bot, tags, event_id, source_topic))'

/** Each field a typed column. */
export const TYPED: IngestShape = {
  columns: INGEST_COLUMNS,
  fingerprint: INGEST_FINGERPRINT,
  rows: (topic) =>
    ingestEvents().map((value, index) => {
      const { tags, time, user_id, ...event } = JSON.parse(value.toString()) as { id: string; tags: unknown; time: string; user_id: number }
      return { ...event, time: new Date(time), user_id: BigInt(user_id), tags: JSON.stringify(tags), event_id: event.id, source_topic: topic, source_partition: 0, source_offset: BigInt(index) }
    }),
}

/** The bytes of an event as they are, and where it came from. */
export const PASSED_THROUGH: IngestShape = {
  columns: 'value String, source_topic LowCardinality(String), source_partition Int32, source_offset Int64',
  fingerprint: 'any(cityHash64(value, source_topic))',
  rows: (topic) => ingestEvents().map((value, index) => ({ value: value.toString(), source_topic: topic, source_partition: 0, source_offset: BigInt(index) })),
}
