import { compareCopies, findingsOf } from './compare-copies.ts'
import { askClickHouse, askPostgres, copiesInClickHouse, copiesInPostgres } from './count-stored.ts'
import type { FaultWorld } from './fault-world.ts'
import { type Finding, mustBe } from './scenario.ts'
import type { SentEvents } from './sent-events.ts'
import { waitUntil } from './wait-until.ts'

/** Long enough for a straggler of a killed process to show: whatever was on its way when it died. */
const STRAGGLERS_MS = 3000

/** Waits until both stores have as many rows as were acknowledged; answers after how many milliseconds. */
export async function waitUntilStored(world: FaultWorld, sent: SentEvents, deadlineMs: number): Promise<number> {
  return waitUntil(`both stores have ${sent.acknowledged} events`, deadlineMs, async () => {
    const [clickhouse, postgres] = await countRows(world)
    return (clickhouse >= sent.acknowledged && postgres >= sent.acknowledged) || `ClickHouse has ${clickhouse}, PostgreSQL ${postgres}`
  })
}

/** Rows in each store. */
export async function countRows({ clickhouse, postgres, table }: FaultWorld): Promise<[clickhouse: number, postgres: number]> {
  const [inClickHouse, inPostgres] = await Promise.all([askClickHouse(clickhouse.login, `SELECT count() FROM ${table}`), askPostgres(postgres.address, `select count(*) from ${table}`)])
  return [Number(inClickHouse[0]?.[0]), Number(inPostgres[0]?.[0])]
}

/** Compares each store with what was sent, and the stores with each other. */
export async function judgeStores(world: FaultWorld, sent: SentEvents): Promise<Finding[]> {
  await new Promise((resolve) => setTimeout(resolve, STRAGGLERS_MS))
  const [inClickHouse, inPostgres] = await Promise.all([copiesInClickHouse(world.clickhouse.login, world.table), copiesInPostgres(world.postgres.address, world.table)])
  const inOneOnly = [...inClickHouse.keys()].filter((sequence) => !inPostgres.has(sequence)).length + [...inPostgres.keys()].filter((sequence) => !inClickHouse.has(sequence)).length
  return [
    { what: 'events acknowledged', found: `${sent.acknowledged}${sent.unknown > 0 ? `, ${sent.unknown} unknown` : ''}`, goal: 'more than 0', isMet: sent.acknowledged > 0 },
    ...findingsOf('ClickHouse', compareCopies(sent, inClickHouse)),
    ...findingsOf('PostgreSQL', compareCopies(sent, inPostgres)),
    mustBe('events in one store alone', inOneOnly, 0),
  ]
}
