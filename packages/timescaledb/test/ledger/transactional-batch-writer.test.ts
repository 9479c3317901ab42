import { randomBytes } from 'node:crypto'
import type { Slice, SliceClaim } from '@smart-whale/interfaces'
import { createPartitionManager, createTransactionalBatchWriter, IngestLedger, type TimescaleStorage } from '@smart-whale/timescaledb'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { type LedgerDatabase, openLedgerDatabase, untilSomebodyWaits } from '../time-series-database.ts'

interface Flight {
  date: Date | string | null
  delay: number | null
  event_id: string
  [column: string]: unknown
}

const DAY = 86_400_000
const slice = (first: number, last: number, token = `${first}-${last}`): Slice => ({ firstOffset: BigInt(first), lastOffset: BigInt(last), token, excluded: [] })
const flights = (count: number, first = 0): Flight[] =>
  Array.from({ length: count }, (_, index) => ({ date: new Date(Date.UTC(2001, 0, 1) + (first + index) * DAY), delay: index % 7, event_id: `e${first + index}` }))

describeEngines((engine) => {
  let database: LedgerDatabase
  let storage: TimescaleStorage
  let ledger: IngestLedger
  let claim: SliceClaim
  let scopes = 0

  beforeAll(async () => {
    database = await openLedgerDatabase(engine)
    ;({ storage, ledger } = database)
  })
  afterAll(() => database.close())

  beforeEach(async () => {
    await storage.execute('drop table if exists flights cascade')
    await storage.execute('drop table if exists airports')
    await storage.execute(`create table airports (code text primary key)`)
    await storage.execute(`insert into airports values ('JFK')`)
    await storage.execute(
      `create table flights (
         date timestamptz not null,
         delay smallint check (delay < 1000),
         event_id text not null,
         origin text references airports deferrable initially deferred,
         fare numeric(6, 2),
         unique (date, event_id))`,
    )
    await createPartitionManager(storage).partitionByTime('flights', 'date')
    claim = await ledger.claim({ pipeline: 'p', topicId: `t${scopes++}`, partition: 0 }, 'me')
  })

  const writer = (change: Partial<Parameters<typeof createTransactionalBatchWriter>[2]> = {}) => createTransactionalBatchWriter<Flight>(storage, 'flights', { ledger, ...change })
  const countFlights = async (): Promise<number> => Number((await storage.execute<{ n: bigint }>('select count(*) as n from flights'))[0]?.n)

  describe('a batch', () => {
    it('becomes visible together with its ledger entry, in the partitions that it needs', async () => {
      const rows = flights(40)
      await ledger.record(claim, slice(0, 39))
      await using transaction = await writer().begin()
      await transaction.write(rows)
      await transaction.complete(claim, slice(0, 39))
      expect([await countFlights(), (await ledger.inspect(claim.scope))?.nextOffset]).toEqual([0, 0n])

      await transaction.commit()

      expect([await countFlights(), (await ledger.inspect(claim.scope))?.nextOffset]).toEqual([40, 40n])
      expect((await createPartitionManager(storage).list('flights')).length).toBeGreaterThan(4)
    })

    it('leaves nothing behind when it is rolled back or dropped', async () => {
      await ledger.record(claim, slice(0, 9))
      {
        await using transaction = await writer().begin()
        await transaction.write(flights(10))
        await transaction.complete(claim, slice(0, 9))
      }
      const other = await writer().begin()
      await other.write(flights(10))
      await other.rollback()
      await other.rollback()

      expect([await countFlights(), (await ledger.inspect(claim.scope))?.inFlight]).toEqual([0, slice(0, 9)])
    })

    it('of an owner that was taken over is rolled back as a whole, also when the owner commits', async () => {
      await ledger.record(claim, slice(0, 9))
      const transaction = await writer().begin()
      await transaction.write(flights(10))
      const successor = await ledger.claim(claim.scope, 'other')

      await expect(transaction.complete(claim, slice(0, 9))).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
      await expect(transaction.commit()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TRANSACTION_FAILED' })
      await transaction.rollback()

      expect([await countFlights(), successor.inFlight]).toEqual([0, slice(0, 9)])
    })

    it('is not let through without its ledger entry, which would store it again after a restart', async () => {
      const transaction = await writer().begin()
      await transaction.write(flights(1))

      await expect(transaction.commit()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TRANSACTION_FAILED' })
      await transaction.rollback()
      await expect(transaction.write(flights(1))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TRANSACTION_ENDED' })
    })

    it('that was committed is known as done, so that a replay after a crash stores nothing', async () => {
      await ledger.record(claim, slice(0, 9))
      const transaction = await writer().begin()
      await transaction.write(flights(10))
      await transaction.complete(claim, slice(0, 9))
      await transaction.commit()

      const afterCrash = await ledger.claim(claim.scope, 'me again')
      expect(afterCrash).toMatchObject({ nextOffset: 10n, inFlight: null })
      const replay = await writer().begin()
      await expect(replay.complete(afterCrash, slice(0, 9))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_INPUT' })
    })

    it('may leave out columns in some of its rows', async () => {
      await ledger.record(claim, slice(0, 1))
      await using transaction = await writer().begin()
      const [first, second] = flights(2) as [Flight, Flight]
      await transaction.write([first, { ...second, fare: '12.50' }])
      await transaction.complete(claim, slice(0, 1))
      await transaction.commit()

      expect(await storage.execute('select fare from flights order by date')).toEqual([{ fare: null }, { fare: '12.50' }])
    })

    it('needs no second connection while it holds one, so that a pool of one is enough', async () => {
      const alone = await database.connect({ maxConnections: 1 })
      const own = new IngestLedger(alone)
      await own.record(claim, slice(0, 9))
      await using transaction = await createTransactionalBatchWriter<Flight>(alone, 'flights', { ledger: own }).begin()
      await transaction.write(flights(10, 5000))
      await transaction.complete(claim, slice(0, 9))
      await transaction.commit()

      expect(await countFlights()).toBe(10)
    })

    it('makes a partition again that was dropped behind its back', async () => {
      await ledger.record(claim, slice(0, 0))
      const patient = writer()
      await patient.findRefused(flights(1))
      await createPartitionManager(await database.connect()).dropBefore('flights', new Date('2030-01-01'))
      expect(await patient.findRefused(flights(1))).toEqual([])
      await createPartitionManager(await database.connect()).dropBefore('flights', new Date('2030-01-01'))

      await using transaction = await patient.begin()
      await transaction.write(flights(1))
      await createPartitionManager(storage).ensureForRows('flights', flights(1, 100))
      await transaction.complete(claim, slice(0, 0))
      await transaction.commit()

      expect(await countFlights()).toBe(1)
    })

    it('never takes a partition that is missing for rows that are wrong', async () => {
      const gone = { makeRoomFor: async () => [], forget: () => {} }
      await using transaction = await writer({ partitions: gone }).begin()

      // Chunks of a hypertable are never missing.
      if (engine.hypertables) return expect(await writer({ partitions: gone }).findRefused(flights(1, 9000))).toEqual([])
      await expect(transaction.write(flights(1, 9000))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_PARTITION_MISSING', retryable: true })
      await expect(writer({ partitions: gone }).findRefused(flights(1, 9000))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_PARTITION_MISSING' })
    })

    it('of an owner that falls silent is ended by the server, and the partition goes to the next', async () => {
      await ledger.record(claim, slice(0, 9))
      const silent = await writer({ idleTimeoutMs: 3_000 }).begin()
      await silent.write(flights(10))
      await silent.complete(claim, slice(0, 9))

      const claiming = ledger.claim(claim.scope, 'other')
      await untilSomebodyWaits(storage)

      expect(await claiming).toMatchObject({ inFlight: slice(0, 9), owner: 'other' })
      await expect(silent.commit()).rejects.toMatchObject({ retryable: true })
      expect(await countFlights()).toBe(0)
    })

    it('can be written by many at once into partitions that nobody has made yet', async () => {
      const write = async (worker: number): Promise<void> => {
        const own = await ledger.claim({ ...claim.scope, partition: worker + 1 }, `w${worker}`)
        const mine = writer()
        for (let round = 0; round < 4; round++) {
          const part = slice(round * 10, round * 10 + 9)
          await ledger.record(own, part)
          await using transaction = await mine.begin()
          await transaction.write(flights(10).map((row, index) => ({ ...row, date: new Date(Date.UTC(2005, round * 2, 1 + index * 3)), event_id: `${worker}-${round}-${index}` })))
          await transaction.complete(own, part)
          await transaction.commit()
        }
      }

      await Promise.all([0, 1, 2, 3, 4, 5].map(write))

      expect(await countFlights()).toBe(240)
    })
  })

  describe('rows that the store refuses', () => {
    it.each<[string, Partial<Flight>, string]>([
      ['no value where one must be', { event_id: null as never }, 'event_id'],
      ['a check', { delay: 5000 }, 'delay'],
      ['a number that does not fit', { delay: 100_000 }, 'delay'],
      ['a decimal that does not fit', { fare: '123456.00' }, ''],
      ['a reference to nothing', { origin: 'XXX' }, 'origin'],
      ['a time that is none', { date: 'tomorrow' }, 'date'],
      ['no time', { date: null }, 'date'],
      ['a text with a zero byte', { event_id: 'a\0b' }, ''],
      ['a key too long for its index', { event_id: randomBytes(8_000).toString('base64') }, 'too large'],
    ])('%s: nothing is stored, and the row is found', async (_what, change, named) => {
      const rows = flights(20)
      rows[13] = { ...(rows[13] as Flight), ...change }
      const transaction = await writer().begin()

      await expect(transaction.write(rows)).rejects.toMatchObject({ name: 'TimescaleValidationError' })
      await expect(transaction.complete(claim, slice(0, 19))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TRANSACTION_FAILED' })
      const refused = await writer().findRefused(rows)

      expect(refused.map(({ index }) => index)).toEqual([13])
      expect(refused[0]?.reason).toContain(named)
      expect(refused[0]?.reason).not.toMatch(/5000|100000|123456|XXX|tomorrow/)
      expect(await countFlights()).toBe(0)
    })

    it('are the later ones of two that can not both be stored, and those that are stored already', async () => {
      await ledger.record(claim, slice(0, 0))
      await using transaction = await writer().begin()
      await transaction.write(flights(1, 50))
      await transaction.complete(claim, slice(0, 0))
      await transaction.commit()
      const rows = [...flights(10), ...flights(1, 50), ...flights(10, 20), ...flights(2, 3)]

      const refused = await writer().findRefused(rows)

      expect(refused.map(({ index }) => index)).toEqual([10, 21, 22])
      expect(refused[0]?.reason).toMatch(/same key.*date_event_id_key/)
      expect(await countFlights()).toBe(1)
    })

    it('are exactly those that fail when rows are stored one after the other', async () => {
      const row = fc.record({ id: fc.integer({ min: 0, max: 12 }), delay: fc.constantFrom(1, 2, 3, 5000), origin: fc.constantFrom('JFK', 'JFK', 'JFK', 'XXX'), missing: fc.constantFrom(false, false, false, true) })
      await fc.assert(
        fc.asyncProperty(fc.array(row, { maxLength: 40 }), async (given) => {
          const rows = given.map(({ id, delay, origin, missing }) => ({ date: new Date('2001-01-01'), delay, origin, event_id: missing ? (null as never) : `e${id}` }))
          const seen = new Set<string>()
          const expected = given.flatMap(({ id, delay, origin, missing }, index) => {
            if (missing || delay === 5000 || origin === 'XXX' || seen.has(`e${id}`)) return [index]
            seen.add(`e${id}`)
            return []
          })

          expect((await writer().findRefused(rows)).map(({ index }) => index)).toEqual(expected)
        }),
        { numRuns: 30 },
      )
    })

    it('are not looked for when the database is to blame', async () => {
      await storage.execute('drop table flights')

      await expect(writer().findRefused(flights(3))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED' })
    })
  })
})
