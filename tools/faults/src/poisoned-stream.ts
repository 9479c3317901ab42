import { deadLetterTopic, type MessagingTransport, type OutgoingRecord } from '@smart-whale/messaging'
import { askClickHouse, askPostgres, runInClickHouse } from './count-stored.ts'
import { EVENT_PIPELINE } from './event.ts'
import type { Environment, FaultWorld } from './fault-world.ts'
import { IngestorCrew } from './ingestor-crew.ts'
import { REFUSED_VALUE } from './poison.ts'
import type { FaultRun } from './scenario.ts'
import { SentEvents } from './sent-events.ts'
import { sendSteadily } from './steady-producer.ts'
import { waitUntil } from './wait-until.ts'

const SENDING_RATE = 100_000
const DRAIN_DEADLINE_MS = 300_000
const LARGEST_RECORD = 8 * 1024 * 1024
/** As a pipeline makes them: with room for what a letter adds. */
const LETTERS = { 'max.message.bytes': String(LARGEST_RECORD + 256 * 1024) }

/** How a worker took in what had piled up. */
export interface Drained {
  /** Rows a second, once all partitions are at work. */
  readonly rate: number
  /** The most memory of its own that the worker had meanwhile. */
  readonly mostMiB: number
}

/** One topic with its tables, and a worker that takes it in. */
export interface PoisonedStream {
  /** Sends so many events as quickly as they go; answers those that the stores must have. */
  send(events: number, record: (sequence: number) => OutgoingRecord, isGood?: (sequence: number) => boolean): Promise<SentEvents>
  /** Starts the worker. */
  begin(): Promise<void>
  takeAwayDeadLetters(): Promise<void>
  giveBackDeadLetters(): Promise<void>
  /** Waits until all of these are in both stores, and stops the worker. */
  drain(expected: SentEvents): Promise<Drained>
  /** What an ingestor or a command of it is started with. */
  readonly environment: Environment
  /** Starts the worker anew until all of these are in both stores. */
  takeIn(expected: SentEvents): Promise<void>
  /** Takes its tables away: stores go on merging and vacuuming what came in last, on the processors that the next stream is measured on. */
  dropTables(): Promise<void>
  /** How often a worker had to wait for something. */
  pauses(): number
  /** Workers that ended without having been asked to. */
  crashes(): number
}

/** Makes topic and tables, and ClickHouse's table refuse what PostgreSQL takes. */
export async function openStream(run: FaultRun, world: FaultWorld, topic: string): Promise<PoisonedStream> {
  const transport = await world.connect({ maxRecordBytes: LARGEST_RECORD })
  await transport.topics.create(topic, { partitions: EVENT_PIPELINE.partitions, configs: { 'max.message.bytes': String(LARGEST_RECORD) } })
  await transport.topics.create(deadLetterTopic(topic), { partitions: 1, configs: LETTERS })
  const environment = await world.environmentFor({ ...EVENT_PIPELINE, topic, limits: { maxRows: 20_000, maxAgeMs: 200 } })
  const crew = new IngestorCrew(environment)
  run.atEnd(() => crew.killAll())
  // A first start makes the tables.
  await crew.add(1)
  await crew.stopOldest()
  await runInClickHouse(world.clickhouse.login, `ALTER TABLE ${topic} ADD CONSTRAINT refused CHECK value < ${REFUSED_VALUE}`)
  let ended = 0
  const waitUntilAll = (expected: SentEvents, look: () => Promise<unknown> = async () => {}): Promise<number> =>
    waitUntil(`both stores have ${expected.acknowledged} rows`, DRAIN_DEADLINE_MS, async () => {
      await look()
      const stored = await storedIn(world, topic, expected.acknowledged)
      return stored >= expected.acknowledged || `${stored}; ${crew.output()}`
    })
  return {
    send: (events, record, isGood = () => true) => sendAll(transport, topic, events, record, isGood),
    begin: async () => {
      await crew.add(1)
      for (const member of crew.members) void member.exited.then(({ code, signal }) => (ended += signal === null && code !== 0 ? 1 : 0))
    },
    takeAwayDeadLetters: async () => void (await transport.topics.delete(deadLetterTopic(topic))),
    giveBackDeadLetters: async () => void (await transport.topics.create(deadLetterTopic(topic), { partitions: 1, configs: LETTERS })),
    drain: async (expected) => {
      const before = await storedIn(world, topic, expected.acknowledged)
      if (crew.size === 0) await crew.add(1)
      let begun = before
      await waitUntil('rows move, and no partition waits for anything', DRAIN_DEADLINE_MS, async () => {
        begun = await storedIn(world, topic, expected.acknowledged)
        return (begun > before && crew.logged('partition goes on') >= crew.logged('partition paused')) || begun >= expected.acknowledged
      })
      let mostMiB = 0
      const tookMs = await waitUntilAll(expected, async () => (mostMiB = Math.max(mostMiB, (await crew.members[0]?.ownMiB()) ?? 0)))
      await crew.stopOldest()
      return { rate: ((expected.acknowledged - begun) / Math.max(tookMs, 1)) * 1000, mostMiB }
    },
    environment,
    takeIn: async (expected) => {
      await crew.add(1)
      await waitUntilAll(expected)
      await crew.stopOldest()
    },
    dropTables: async () => {
      await runInClickHouse(world.clickhouse.login, `DROP TABLE ${topic} SYNC`)
      await askPostgres(world.postgres.address, `drop table ${topic}`)
    },
    pauses: () => crew.logged('partition paused'),
    crashes: () => ended,
  }
}

async function sendAll(transport: MessagingTransport, topic: string, total: number, event: (sequence: number) => OutgoingRecord, isGood: (sequence: number) => boolean): Promise<SentEvents> {
  const sent = new SentEvents(total)
  await sendSteadily({ transport, topic, rate: SENDING_RATE, total, sent, event, timeoutMs: 120_000 })
  const good = new SentEvents(total)
  for (const sequence of sent.acknowledgedOnes()) if (isGood(sequence)) good.acknowledge(sequence)
  return good
}

/**
 * How many rows there are. ClickHouse has each slice first, and knows its count; PostgreSQL would read the whole table for it, five times a second,
 * on the processors that are measured: it is asked once ClickHouse has all.
 */
async function storedIn({ clickhouse, postgres }: FaultWorld, table: string, all: number): Promise<number> {
  const countOf = (answer: readonly (readonly unknown[])[]): number => Number(answer[0]?.[0])
  const inClickHouse = countOf(await askClickHouse(clickhouse.login, `SELECT count() FROM ${table}`))
  return inClickHouse < all ? inClickHouse : Math.min(inClickHouse, countOf(await askPostgres(postgres.address, `select count(*) from ${table}`)))
}
