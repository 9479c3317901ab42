import { createMigrationManager, createPartitionManager, createTransactionalBatchWriter, IngestLedger, sourceIndexDefinition, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

/** Offsets beyond what the index keeps apart. */
const FAR = 2n ** 48n

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await createMigrationManager(storage).up()
    await storage.execute('create table rows_of (at timestamptz not null, source_topic text not null, source_partition integer not null, source_offset bigint not null)')
    if (engine.hypertables) await storage.createHypertable('rows_of', 'at')
    else await createPartitionManager(storage).partitionByTime('rows_of', 'at')
    await storage.execute(sourceIndexDefinition('rows_of'))
    await storage.execute(sourceIndexDefinition('rows_of'))
    const ledger = new IngestLedger(storage)
    const writer = createTransactionalBatchWriter(storage, 'rows_of', { ledger })
    const claim = await ledger.claim({ pipeline: 'p', topicId: 't', partition: 0 }, 'me')
    await ledger.record(claim, { firstOffset: 0n, lastOffset: 0n, token: 't', excluded: [] })
    await using transaction = await writer.begin()
    const row = (topic: string, partition: number, offset: bigint) => ({ at: new Date(Date.UTC(2001, 0, 1) + (Number(offset) % 1000) * 86_400_000), source_topic: topic, source_partition: partition, source_offset: offset })
    await transaction.write([
      ...Array.from({ length: 1000 }, (_, index) => row('rides', 0, BigInt(index))),
      ...Array.from({ length: 10 }, (_, index) => row('rides', 1, BigInt(index))),
      row('rides', 2, 5n),
      row('rides', 2, FAR + 7n),
      row('rides', 100_000, 3n),
      row('others', 1, 4000n),
    ])
    await transaction.complete(claim, { firstOffset: 0n, lastOffset: 0n, token: 't', excluded: [] })
    await transaction.commit()
  })
  afterAll(() => database.close())

  describe.each(['as it was written', 'once it is vacuumed', 'without the index'])('the last stored row of a partition, in a table %s', (state) => {
    beforeAll(async () => {
      if (state === 'once it is vacuumed') await storage.execute('vacuum analyze rows_of')
      if (state === 'without the index') await storage.execute('drop index rows_of_source_offset')
    })

    it.each([
      [0, 0n, 999n],
      [0, 999n, 999n],
      [0, 1000n, null],
      [1, 0n, 9n],
      [1, 10n, null],
      [2, 0n, FAR + 7n],
      [2, FAR, FAR + 7n],
      [2, FAR + 8n, null],
      [3, 0n, null],
      // The index takes it for partition 1696.
      [100_000, 0n, 3n],
      [1696, 0n, null],
    ])('partition %i from %i on: %s', async (partition, firstOffset, last) => {
      const writer = createTransactionalBatchWriter(storage, 'rows_of', { ledger: new IngestLedger(storage) })

      expect(await writer.lastStored({ topic: 'rides', partition, firstOffset })).toBe(last)
    })
  })

  it('is found by the index, not by reading the table', async () => {
    await storage.execute(sourceIndexDefinition('rows_of'))
    const plan = await storage.withTransaction(async (transaction) => {
      await transaction.execute('set local enable_seqscan = off')
      const place = '(((source_partition & 16383)::bigint << 48) | (source_offset & 281474976710655))'
      return transaction.execute(`explain select max(source_offset) from rows_of where source_topic = 'rides' and source_partition = 1 and source_offset >= 10 and ${place} between ((1::bigint << 48) | 10) and ((1::bigint << 48) | 281474976710655)`)
    })

    expect(JSON.stringify(plan)).toContain('Bitmap Index Scan')
  })

  it('the ledger knows a partition also under another pipeline, or of another topic', async () => {
    const ledger = new IngestLedger(storage)
    const scope = { pipeline: 'rides', topicId: 'a', partition: 0 }
    for (const known of [{ ...scope, topicId: 'b' }, { ...scope, pipeline: 'trips' }, { ...scope, partition: 1 }, { pipeline: 'x', topicId: 'y', partition: 0 }]) await ledger.claim(known, 'me')

    expect(await ledger.knownBeside(scope)).toEqual(expect.arrayContaining([{ ...scope, topicId: 'b' }, { ...scope, pipeline: 'trips' }]))
    expect(await ledger.knownBeside(scope)).toHaveLength(2)
    await ledger.claim(scope, 'me')
    expect((await ledger.knownBeside(scope))[0]).toEqual(scope)
    expect(await ledger.knownBeside(scope)).toHaveLength(3)
    expect(await ledger.knownBeside({ pipeline: 'none', topicId: 'none', partition: 0 })).toEqual([])
  })
})
