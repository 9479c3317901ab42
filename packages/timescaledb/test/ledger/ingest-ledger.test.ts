import type { Slice, SliceClaim, SliceScope } from '@smart-whale/interfaces'
import { MemorySliceLedger, sliceLedgerContract } from '@smart-whale/interfaces/testing'
import { createMigrationManager, IngestLedger, ingestLedgerDefinition, takeOverPipeline } from '@smart-whale/timescaledb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase, untilSomebodyWaits } from '../time-series-database.ts'

describeEngines((engine) => {
  let database: TestDatabase
  let scopes = 0
  const newScope = (): SliceScope => ({ pipeline: 'flights', topicId: `topic-${scopes++}`, partition: 0 })
  const slice = (first: number, last: number, token = `${first}-${last}`, excluded: bigint[] = []): Slice => ({ firstOffset: BigInt(first), lastOffset: BigInt(last), token, excluded })

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    await createMigrationManager(database.storage).up()
  })
  afterAll(() => database.close())

  describe('IngestLedger keeps the contract of a SliceLedger', () => {
    it.each(sliceLedgerContract.map((test) => [test.name, test] as const))('%s', (_name, test) => test.run({ create: async () => new IngestLedger(database.storage) }))
  })

  describe('a claim while the former owner is about to commit', () => {
    const prepare = async () => {
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      const claim = await ledger.claim(scope, 'old')
      await ledger.record(claim, slice(0, 9))
      const transaction = await database.storage.beginTransaction()
      await ledger.completeWithin(transaction, claim, slice(0, 9))
      return { ledger, scope, claim, transaction }
    }

    it('waits for the commit and finds the slice done', async () => {
      const { ledger, scope, transaction } = await prepare()
      const claiming = ledger.claim(scope, 'new')
      await untilSomebodyWaits(database.storage)

      await transaction.commit()

      expect(await claiming).toMatchObject({ nextOffset: 10n, inFlight: null, epoch: 2n, owner: 'new' })
    })

    it('waits for the rollback and finds the slice in flight', async () => {
      const { ledger, scope, claim, transaction } = await prepare()
      const claiming = ledger.claim(scope, 'new')
      await untilSomebodyWaits(database.storage)

      await transaction.rollback()

      expect(await claiming).toMatchObject({ nextOffset: 0n, inFlight: slice(0, 9), epoch: 2n })
      await expect(ledger.complete(claim, slice(0, 9))).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
    })

    it('gives up at its deadline, may be repeated, and has changed nothing', async () => {
      const { scope, transaction } = await prepare()
      const ledger = new IngestLedger(database.storage, { claimTimeoutMs: 100 })

      await expect(ledger.claim(scope, 'new')).rejects.toMatchObject({ retryable: true })
      expect(await ledger.inspect(scope)).toMatchObject({ owner: 'old', epoch: 1n })
      await transaction.rollback()
      expect(await ledger.claim(scope, 'new')).toMatchObject({ epoch: 2n })
    })

    it('refuses a transaction that comes to complete only after the claim', async () => {
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      const old = await ledger.claim(scope, 'old')
      await ledger.record(old, slice(0, 9))
      await using transaction = await database.storage.beginTransaction()
      await transaction.execute('select 1 as n')
      await ledger.claim(scope, 'new')

      await expect(ledger.completeWithin(transaction, old, slice(0, 9))).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH', retryable: false })
    })
  })

  describe('IngestLedger', () => {
    it('agrees with the reference ledger on every sequence of calls', async () => {
      const step = fc.record({
        call: fc.constantFrom('claim', 'record', 'record', 'complete', 'complete'),
        worker: fc.integer({ min: 0, max: 2 }),
        first: fc.integer({ min: 0, max: 6 }),
        length: fc.integer({ min: 0, max: 3 }),
        token: fc.constantFrom('a', 'b'),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const scope = newScope()
          const [mine, reference] = [new IngestLedger(database.storage), new MemorySliceLedger()]
          const claims = new Map<number, [SliceClaim, SliceClaim]>()
          for (const { call, worker, first, length, token } of steps) {
            const claim = claims.get(worker)
            const wanted = slice(first, first + length, token)
            const run = async (which: 0 | 1): Promise<string> => {
              const ledger = which === 0 ? mine : reference
              if (call === 'claim' || !claim) return 'claimed'
              return ledger[call as 'record' | 'complete'](claim[which], wanted).then(() => 'done', (error: Error) => (error as { code?: string }).code === 'ERR_STALE_EPOCH' ? 'stale' : 'refused')
            }
            if (call === 'claim') claims.set(worker, [await mine.claim(scope, `w${worker}`), await reference.claim(scope, `w${worker}`)])
            expect(await run(0)).toBe(await run(1))
            expect(await mine.inspect(scope)).toEqual(await reference.inspect(scope))
          }
        }),
        { numRuns: 60 },
      )
    })

    it('lets workers that take each other over neither skip nor repeat an offset', async () => {
      const scope = newScope()
      const done: Slice[] = []
      const work = async (owner: string): Promise<void> => {
        const ledger = new IngestLedger(await database.connect())
        for (let round = 0; round < 15; round++) {
          let claim: SliceClaim | undefined = await ledger.claim(scope, owner)
          for (let count = 0; count < 3 && claim; count++) claim = await doOne(ledger, claim, { token: `${owner}-${round}-${count}`, length: round % 3 })
        }
      }
      const doOne = async (ledger: IngestLedger, claim: SliceClaim, { token, length }: { token: string; length: number }): Promise<SliceClaim | undefined> => {
        const next = claim.inFlight ?? slice(Number(claim.nextOffset), Number(claim.nextOffset) + length, token)
        try {
          if (!claim.inFlight) await ledger.record(claim, next)
          await ledger.complete(claim, next)
        } catch (error) {
          expect((error as { code: string }).code).toBe('ERR_STALE_EPOCH')
          return undefined
        }
        done.push(next)
        return { ...claim, nextOffset: next.lastOffset + 1n, inFlight: null }
      }

      await Promise.all(['a', 'b', 'c', 'd'].map(work))

      const inOrder = done.sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
      expect(inOrder.every(({ firstOffset }, index) => firstOffset === (index === 0 ? 0n : (inOrder[index - 1] as Slice).lastOffset + 1n))).toBe(true)
      const state = await new IngestLedger(database.storage).inspect(scope)
      expect(state?.nextOffset).toBe((inOrder.at(-1) as Slice).lastOffset + 1n)
      expect(inOrder.length).toBeGreaterThan(10)
    })

    it('has the slice on disk before it says so, also where commits do not wait for the disk', async () => {
      const ledger = new IngestLedger(database.storage)
      await database.storage.execute(`do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$`)
      const lazy = await database.connect()
      const lazyLedger = new IngestLedger(lazy)
      const claim = await ledger.claim(newScope(), 'me')

      for (let round = 0; round < 20; round++) {
        const [before] = await lazy.execute<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn')
        await lazyLedger.record(claim, slice(0, 9, `token-${round}`))
        const [after] = await lazy.execute<{ flushed: boolean }>('select pg_current_wal_flush_lsn() > $1::text::pg_lsn as flushed', [before?.lsn])
        expect(after?.flushed).toBe(true)
      }
    })

    it('refuses what no broker can mean, and names it', async () => {
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      const claim = await ledger.claim(scope, 'me')
      const wrong: [Promise<unknown>, string][] = [
        [ledger.claim({ ...scope, partition: -1 }, 'me'), 'partition'],
        [ledger.claim({ ...scope, pipeline: '' }, 'me'), 'pipeline'],
        [ledger.claim(scope, ''), 'owner'],
        [ledger.claim(scope, 'me', { startOffset: -1n }), 'startOffset'],
        [ledger.record(claim, slice(5, 4)), 'lastOffset'],
        [ledger.record(claim, slice(0, 9, '')), 'token'],
        [ledger.record(claim, slice(0, 9, 't', [3n, 2n])), 'excluded'],
        [ledger.record(claim, slice(0, 9, 't', [10n])), 'excluded'],
        [ledger.record(claim, { ...slice(0, 9), firstOffset: 0 as never }), 'firstOffset'],
        [ledger.record(claim, { ...slice(0, 9), lastOffset: 2n ** 63n }), 'lastOffset'],
      ]
      for (const [promise, field] of wrong) {
        await expect(promise).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_INPUT', issues: [{ path: expect.arrayContaining([field]) as unknown }] })
      }
    })

    it('knows a table by whatever name, and says who has it', async () => {
      await database.storage.execute('create table if not exists rides (n int)')
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      await ledger.claim(scope, 'me', { into: { table: 'rides', topic: 'rides' } })

      const second = ledger.claim({ ...scope, pipeline: 'trips' }, 'me', { into: { table: 'public.rides', topic: 'rides' } })

      await expect(second).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', retryable: false, context: { store: 'PostgreSQL', table: 'public.rides', holder: 'flights' } })
    })

    it('hands the entries of a pipeline over to another one, which goes on where it stood', async () => {
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      const into = { table: 'taken', topic: 'rides' }
      const old = await ledger.claim(scope, 'old', { into })
      await ledger.record(old, slice(0, 9))
      const handOver = () => takeOverPipeline(database.storage, { from: 'flights', to: 'trips', topicId: scope.topicId, into })

      expect(await handOver()).toEqual({ partitions: [0], holder: 'flights' })

      await expect(ledger.complete(old, slice(0, 9))).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
      await expect(ledger.record(old, slice(10, 19))).rejects.toMatchObject({ code: 'ERR_STALE_EPOCH' })
      for (const partition of [0, 1]) await expect(ledger.claim({ ...scope, partition }, 'old', { into })).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN' })
      const inFlight = { ...slice(0, 9), recordedBy: 'flights' }
      const successor = await ledger.claim({ ...scope, pipeline: 'trips' }, 'new', { into })
      expect(successor).toMatchObject({ nextOffset: 0n, inFlight, epoch: 3n })
      await ledger.record(successor, { ...inFlight, excluded: [4n], deadLettersFrom: { partition: 0, offset: 3n } })
      expect(await handOver()).toEqual({ partitions: [], holder: 'trips' })
      expect(await takeOverPipeline(database.storage, { from: 'trips', to: 'rides', topicId: scope.topicId, into })).toEqual({ partitions: [0], holder: 'trips' })
      expect((await ledger.inspect({ ...scope, pipeline: 'rides' }))?.inFlight).toMatchObject({ ...inFlight, excluded: [4n], deadLettersFrom: { partition: 0, offset: 3n } })
      await expect(handOver()).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', context: { holder: 'rides' } })
    })

    it('hands over the claim of a pipeline that has stored nothing, where that is asked for', async () => {
      const ledger = new IngestLedger(database.storage)
      const [scope, into] = [newScope(), { table: 'claimed', topic: 'rides' }]
      const handOver = () => takeOverPipeline(database.storage, { from: 'flights', to: 'trips', topicId: scope.topicId, into, claimAlone: true })
      await ledger.claimTable({ ...into, pipeline: 'flights', topicId: scope.topicId })

      expect(await handOver()).toEqual({ partitions: [], holder: 'flights' })

      await ledger.claim({ ...scope, pipeline: 'trips' }, 'new', { into })
      expect(await takeOverPipeline(database.storage, { from: 'trips', to: 'flights', topicId: scope.topicId, into, claimAlone: true })).toEqual({ partitions: [], holder: null })
      await ledger.claim({ ...scope, pipeline: 'trips' }, 'new', { into })
    })

    it('hands nothing over of a table that the former pipeline never had, and leaves what it has of others', async () => {
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      await ledger.claim(scope, 'old', { into: { table: 'kept', topic: 'rides' } })

      expect(await takeOverPipeline(database.storage, { from: 'flights', to: 'trips', topicId: scope.topicId, into: { table: 'other', topic: 'rides' } })).toEqual({ partitions: [], holder: null })

      await ledger.claim({ ...scope, pipeline: 'third' }, 'new', { into: { table: 'other', topic: 'rides' } })
      await ledger.claim(scope, 'old', { into: { table: 'kept', topic: 'rides' } })
    })

    it('lets a claim that is under way end first, and refuses it where it comes second', async () => {
      const ledger = new IngestLedger(database.storage)
      for (let round = 0; round < 10; round++) {
        const [scope, into] = [newScope(), { table: `raced_${round}`, topic: 'rides' }]
        await ledger.claim(scope, 'old', { into })
        const taken = takeOverPipeline(database.storage, { from: 'flights', to: 'trips', topicId: scope.topicId, into })
        const [late, { partitions }] = await Promise.all([ledger.claim({ ...scope, partition: 1 }, 'old', { into }).catch((error: unknown) => error as { code: string }), taken])

        if ('code' in late) expect(late.code).toBe('ERR_TABLE_TAKEN')
        expect(partitions).toEqual('code' in late ? [0] : [0, 1])
        for (const partition of [0, 1]) expect(await ledger.inspect({ ...scope, partition })).toBe(null)
      }
    })

    it('does not begin anew what it knew, and what is being given to another pipeline when the claim comes', async () => {
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      await ledger.claim(scope, 'old')
      const [isMoved, mayCommit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const slow: Parameters<typeof takeOverPipeline>[0] = {
        withTransaction: (work, options) =>
          database.storage.withTransaction(async (transaction) => {
            const result = await work(transaction)
            isMoved.resolve()
            await mayCommit.promise
            return result
          }, options),
      }

      const taking = takeOverPipeline(slow, { from: 'flights', to: 'trips', topicId: scope.topicId })
      await isMoved.promise
      const late = ledger.claim(scope, 'late', { isKnown: true }).catch((error: unknown) => error)
      await untilSomebodyWaits(database.storage)
      mayCommit.resolve()
      await taking

      expect(await late).toMatchObject({ code: 'ERR_STALE_EPOCH' })
      expect(await ledger.inspect(scope)).toBe(null)
      expect(await ledger.claim({ ...scope, pipeline: 'trips' }, 'new', { isKnown: true })).toMatchObject({ epoch: 3n })
    })

    describe('with a table of another store', () => {
      const into = { table: 'rides', topic: 'rides', store: 'ClickHouse' } as const
      const bench = () => {
        const ledger = new IngestLedger(database.storage)
        const scope = newScope()
        const handOver = (from: string, to: string) => takeOverPipeline(database.storage, { from, to, topicId: scope.topicId, into })
        const claim = (pipeline: string, more: object = {}) => ledger.claim({ ...scope, pipeline }, 'worker', { into, ...more })
        return { ledger, scope, handOver, claim }
      }

      it('lets the former pipeline begin nothing anew, whatever it knew before, until it takes that back', async () => {
        const { ledger, scope, handOver, claim } = bench()
        await claim('flights')

        expect(await handOver('flights', 'trips')).toEqual({ partitions: [0], holder: null })
        expect(await handOver('flights', 'trips')).toEqual({ partitions: [], holder: null })

        const refusal = { code: 'ERR_TABLE_TAKEN', context: { store: 'ClickHouse', table: 'rides', holder: 'trips' } }
        for (const isKnown of [false, true]) await expect(claim('flights', { isKnown })).rejects.toMatchObject(refusal)
        await expect(ledger.claimTable({ ...into, pipeline: 'flights', topicId: scope.topicId })).rejects.toThrow(/take-over --from flights --pipeline trips; or .*take-over --from trips --pipeline flights/)
        expect(await ledger.inspect(scope)).toBe(null)
        await claim('trips')
        expect(await handOver('trips', 'flights')).toEqual({ partitions: [0], holder: null })
        await claim('flights')
        await expect(claim('trips')).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', context: { holder: 'flights' } })
      })

      it('refuses each former name also where a third has the progress by now, and a command that comes too late for that', async () => {
        const { handOver, claim } = bench()
        await claim('flights')
        await handOver('flights', 'trips')
        await handOver('trips', 'rides')

        for (const former of ['flights', 'trips']) await expect(claim(former)).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', context: { holder: 'rides' } })
        for (const from of ['flights', 'others']) await expect(handOver(from, 'trips')).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', context: { holder: 'rides' } })
        expect(await handOver('flights', 'rides')).toEqual({ partitions: [], holder: null })
        await claim('rides')
      })

      it('leaves the former pipeline its other tables, and every pipeline one of the same name in another ClickHouse', async () => {
        const { handOver, claim } = bench()
        await claim('flights')
        await claim('others')
        await handOver('flights', 'trips')

        await claim('flights', { into: { ...into, table: 'trips' } })
        await claim('others')
      })

      it('lets a claim that is under way end first, and refuses it where it comes second', async () => {
        for (let round = 0; round < 10; round++) {
          const { ledger, scope, handOver, claim } = bench()
          const [late, { partitions }] = await Promise.all([claim('flights').catch((error: unknown) => error as { code: string }), handOver('flights', 'trips')])

          if ('code' in late) expect(late.code).toBe('ERR_TABLE_TAKEN')
          expect(partitions).toEqual('code' in late ? [] : [0])
          expect(await ledger.inspect(scope)).toBe(null)
        }
      })

      it('is given by commands that cross to one after the other', async () => {
        for (let round = 0; round < 10; round++) {
          const { scope, ledger, handOver, claim } = bench()
          await claim('flights')
          await Promise.all([handOver('flights', 'trips'), handOver('trips', 'flights'), handOver('flights', 'trips')])

          const claims = await Promise.allSettled(['flights', 'trips'].map((pipeline) => claim(pipeline)))
          expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
          const entries = await Promise.all(['flights', 'trips'].map((pipeline) => ledger.inspect({ ...scope, pipeline })))
          expect(entries.filter((entry) => entry !== null)).toHaveLength(1)
        }
      })
    })

    it('hands nothing over to a pipeline that has entries of its own', async () => {
      const ledger = new IngestLedger(database.storage)
      const scope = newScope()
      await ledger.claim(scope, 'old')
      await ledger.claim({ ...scope, pipeline: 'trips' }, 'other')

      await expect(takeOverPipeline(database.storage, { from: 'flights', to: 'trips', topicId: scope.topicId })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNIQUE' })
    })

    it('goes on with entries of before it kept tables apart, and gives their tables to who claims them', async () => {
      const own = await openTestDatabase(engine)
      try {
        await createMigrationManager(own.storage).up({ to: 'v003_partitioning' })
        const insert = `insert into smart_whale_ingest_ledger (pipeline, topic_id, "partition", next_offset, epoch, owner, first_offset, last_offset, token, excluded_offsets) values ($1, 'rides-1', 0, 10, 7, 'before', $2, $3, $4, $5::text::jsonb)`
        await own.storage.execute(insert, ['rides', '10', '19', 'token', '[]'])
        await own.storage.execute(insert, ['retired', null, null, null, null])
        await createMigrationManager(own.storage).up()
        const ledger = new IngestLedger(own.storage)
        const [scope, into] = [{ pipeline: 'rides', topicId: 'rides-1', partition: 0 }, { table: 'rides', topic: 'rides' }]

        const first = await ledger.claim(scope, 'one', { into })
        const second = await ledger.claim(scope, 'another', { into })

        expect(first).toMatchObject({ nextOffset: 10n, inFlight: { firstOffset: 10n, lastOffset: 19n, token: 'token' }, epoch: 8n })
        await ledger.complete(second, slice(10, 19, 'token'))
        await expect(ledger.claim({ ...scope, pipeline: 'retired' }, 'me', { into })).rejects.toMatchObject({ code: 'ERR_TABLE_TAKEN', context: { holder: 'rides' } })
      } finally {
        await own.close()
      }
    })

    it('keeps its rows in another table when told to', async () => {
      for (const statement of ingestLedgerDefinition('my_ledger')) await database.storage.execute(statement)
      const ledger = new IngestLedger(database.storage, { table: 'my_ledger' })
      await ledger.claim(newScope(), 'me')

      expect(await database.storage.execute('select owner from my_ledger')).toEqual([{ owner: 'me' }])
    })
  })
})
