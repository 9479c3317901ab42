import { createHash } from 'node:crypto'
import { SeededRandom } from './seeded-random.ts'

/** A page view with most kinds of column: about 480 bytes as JSON. */
export interface EventRow extends Record<string, unknown> {
  readonly event_id: string
  readonly time: Date
  readonly tenant: string
  readonly user_id: number
  readonly session_id: string
  readonly path: string
  readonly agent: string
  readonly referrer: string | null
  readonly status: number
  readonly duration_ms: number
  readonly amount: string
  readonly bot: boolean
  readonly tags: readonly string[]
}

/** Columns of that row. */
export const CLICKHOUSE_EVENT_COLUMNS = `event_id UUID, time DateTime64(3, 'UTC'), tenant LowCardinality(String), user_id UInt64, session_id UUID, path String, agent String,
  referrer Nullable(String), status UInt16, duration_ms Float64, amount Decimal(12, 2), bot Bool, tags Array(String)`

const TENANTS = ['northwind', 'contoso', 'fabrikam', 'tailspin']
const PATHS = ['/catalogue/whales/blue/details', '/checkout/basket/review', '/søk/hvaler?område=nord', '/account/orders/history']
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
]
const TAGS = ['new', 'returning', 'mobile', 'trial', 'newsletter']

/** Events that are the same in every run, their texts as a parser makes them: put together here, they would be ropes, which nobody reads from the network. */
export function eventRows(count: number): EventRow[] {
  const events = JSON.parse(JSON.stringify(madeEvents(count))) as (Omit<EventRow, 'time'> & { readonly time: string })[]
  return events.map((event) => ({ ...event, time: new Date(event.time) }) as EventRow)
}

function madeEvents(count: number): EventRow[] {
  const random = new SeededRandom(480)
  const start = Date.UTC(2026, 0, 1)
  return Array.from({ length: count }, (_, index) => ({
    event_id: uuidOf(`event ${index}`),
    time: new Date(start + index * 137),
    tenant: random.pick(TENANTS),
    user_id: random.below(5_000_000),
    session_id: uuidOf(`session ${index >> 4}`),
    path: random.pick(PATHS),
    agent: random.pick(AGENTS),
    referrer: random.below(3) === 0 ? null : 'https://search.example/results',
    status: random.pick([200, 200, 200, 304, 404, 500]),
    duration_ms: random.below(1_000_000) / 1000,
    amount: (random.below(100_000) / 100).toFixed(2),
    bot: random.below(10) === 0,
    tags: [random.pick(TAGS), random.pick(TAGS)],
  }))
}

function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
