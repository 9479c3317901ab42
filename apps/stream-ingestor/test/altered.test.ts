import { afterEach, describe, expect, it } from 'vitest'
import type { PipelineInput } from '@smart-whale/messaging/pipeline'
import { type IngestorBench, startIngestorBench, storedIds } from './ingestor-bench.ts'

/*
 * What people do to the tables of a pipeline while it runs. Whatever it is: no good event is put aside for it, none is stored twice, and
 * the pipeline goes on by itself once the table is as it should be.
 */

const RIDES: PipelineInput = { topic: 'rides', fields: { id: 'int64', time: 'timestamp', city: 'string', fare: 'decimal(8,2)' }, time: 'time', id: 'id', partitions: 1, limits: { maxRows: 100 } }

let bench: IngestorBench | null = null

afterEach(async () => {
  await bench?.close()
  bench = null
})

const ride = (id: number): string => JSON.stringify({ id, time: new Date(Date.UTC(2026, 0, 1) + id * 1000).toISOString(), city: 'Oslo', fare: '1.50' })
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)
const send = (running: IngestorBench, from: number, to: number): Promise<unknown> => running.transport.send('rides', numbers(from, to).map((id) => ({ value: ride(id) })))
const seen = async ({ ingestor }: IngestorBench) => (await ingestor.status()).pipelines[0]
const settled = (running: IngestorBench): Promise<void> => expect.poll(() => seen(running), { interval: 50 }).toMatchObject({ state: 'running', lag: 0 })
const waits = (running: IngestorBench): Promise<void> => expect.poll(async () => (await seen(running))?.state, { interval: 50 }).toBe('paused')

async function begun(): Promise<IngestorBench> {
  bench = await startIngestorBench([RIDES])
  await send(bench, 0, 250)
  await settled(bench)
  return bench
}

async function expectWhole(running: IngestorBench, until: number): Promise<void> {
  const wanted = numbers(0, until).join()
  const reasons = (await running.deadLetters('rides')).map(({ headers }) => headers['smartwhale-dlq-reason'])
  expect([...new Set(reasons)]).toEqual([])
  const { clickhouse, timescaledb } = await storedIds(running, 'rides')
  expect([clickhouse.join(), timescaledb.join()]).toEqual([wanted, wanted])
}

type Alteration = readonly [store: 'clickhouse' | 'timescaledb', what: string, sql: string, back: string]

const MISSING: readonly Alteration[] = [
  ['clickhouse', 'the table', 'RENAME TABLE rides TO aside', 'RENAME TABLE aside TO rides'],
  ['timescaledb', 'the table', 'alter table rides rename to aside', 'alter table aside rename to rides'],
  ['clickhouse', 'a column', 'ALTER TABLE rides RENAME COLUMN fare TO aside', 'ALTER TABLE rides RENAME COLUMN aside TO fare'],
  ['timescaledb', 'a column', 'alter table rides rename column fare to aside', 'alter table rides rename column aside to fare'],
]

describe('a pipeline under which', () => {
  it.each(MISSING)('%s loses %s waits, puts no good event aside, and goes on when it is back', async (store, _what, sql, back) => {
    const running = await begun()
    await running[store].execute(sql)
    await send(running, 250, 600)
    await waits(running)
    // Several attempts.
    await new Promise((resolve) => setTimeout(resolve, 3000))
    await send(running, 600, 700)
    expect(await seen(running)).toMatchObject({ state: 'paused' })
    await running[store].execute(back)
    await settled(running)

    await expectWhole(running, 700)
  })

  it('the turns of ClickHouse are emptied, or dropped, goes on', async () => {
    const running = await begun()
    await running.clickhouse.execute('TRUNCATE TABLE smart_whale_ingest_epochs')
    await send(running, 250, 400)
    await settled(running)
    await running.clickhouse.execute('DROP TABLE smart_whale_ingest_epochs SYNC')
    await send(running, 400, 500)
    await settled(running)

    await expectWhole(running, 500)
  })

  it('tables get wider types and more columns goes on', async () => {
    const running = await begun()
    await running.clickhouse.execute('ALTER TABLE rides MODIFY COLUMN fare Decimal(18, 4), ADD COLUMN extra Int32 DEFAULT 7 FIRST')
    await running.timescaledb.execute('alter table rides alter column fare type text, alter column id type numeric, add column extra int not null default 7')
    await send(running, 250, 500)
    await settled(running)

    await expectWhole(running, 500)
  })

  it('a trigger takes rows away says so, and calls nothing stored that is not', async () => {
    const running = await begun()
    await running.timescaledb.execute('create function pass_over() returns trigger language plpgsql as $$ begin return case when new.id % 10 = 3 then null else new end; end $$')
    await running.timescaledb.execute('create trigger pass_over before insert on rides for each row execute function pass_over()')
    await send(running, 250, 300)
    await expect.poll(async () => (await seen(running))?.state).not.toBe('running')
    await running.timescaledb.execute('drop trigger pass_over on rides')
    await settled(running)

    await expectWhole(running, 300)
  })

  it('views are added is as whole as before, and each view has what came since', async () => {
    const running = await begun()
    await running.clickhouse.execute('CREATE TABLE per_city (city String, n UInt64) ENGINE = SummingMergeTree ORDER BY city SETTINGS non_replicated_deduplication_window = 1000')
    await running.clickhouse.execute('CREATE MATERIALIZED VIEW per_city_view TO per_city AS SELECT city, count() AS n FROM rides GROUP BY city')
    await send(running, 250, 600)
    await settled(running)

    await expectWhole(running, 600)
    expect((await running.clickhouse.execute('SELECT sum(n) AS n FROM per_city')).rows).toEqual([{ n: 350n }])
  })
})
