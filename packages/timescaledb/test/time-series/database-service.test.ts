import { createDatabaseService, createMigrationManager, createPartitionManager, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage
  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await createMigrationManager(storage).up()
  })
  afterAll(() => database.close())

  describe('DatabaseService', () => {
    it('stores a point and gives it back, at any time, before partitions and after', async () => {
      const service = createDatabaseService(storage)
      await service.storeTimeSeriesData('time_series_data', 'old', '1969-07-20T20:17:40Z', 1.5, { place: 'moon', crew: ['a', 'b'] })
      await service.storeTimeSeriesData('time_series_data', 'new', new Date('2031-01-01'), null)

      const points = await service.getTimeSeriesData('time_series_data', '1969-01-01', '2032-01-01')
      expect(points.map((point) => point.toJSON())).toEqual([
        { id: 'old', timestamp: '1969-07-20T20:17:40.000Z', value: 1.5, metadata: { place: 'moon', crew: ['a', 'b'] } },
        { id: 'new', timestamp: '2031-01-01T00:00:00.000Z', value: null, metadata: {} },
      ])
      expect(await service.getTimeSeriesData('time_series_data', '1969-01-01', '2032-01-01', { id: 'new' })).toHaveLength(1)
    })

    it('stores a point once, however often it comes, and keeps its last value', async () => {
      const service = createDatabaseService(storage)
      for (const value of [1, 2]) await service.storeTimeSeriesData('time_series_data', 'again', '2001-01-01', value)
      const stored = await service.storeMany('time_series_data', [3, 4].map((value) => ({ id: 'again', time: '2001-01-01', value })))

      expect(stored).toBe(1)
      expect((await service.getTimeSeriesData('time_series_data', '2001-01-01', '2001-01-02')).map(({ value }) => value)).toEqual([4])
    })

    it('stores many or none', async () => {
      const service = createDatabaseService(storage)
      const points = Array.from({ length: 500 }, (_, index) => ({ id: `s${index % 5}`, time: Date.UTC(2010, 0, 1) + index * 3_600_000, value: index }))

      await expect(service.storeMany('time_series_data', [...points, { id: '', time: 'never', value: 1 }])).rejects.toMatchObject({ issues: [{ path: [500, 'id'] }, { path: [500, 'timestamp'] }] })
      expect(await service.getTimeSeriesData('time_series_data', '2010-01-01', '2011-01-01')).toHaveLength(0)
      expect(await service.storeMany('time_series_data', points)).toBe(500)
      expect(await service.getTimeSeriesData('time_series_data', '2010-01-01', '2011-01-01')).toHaveLength(500)
      expect(await service.storeMany('time_series_data', [])).toBe(0)
    })

    it('keeps or refuses what is there when told to', async () => {
      await createDatabaseService(storage).storeTimeSeriesData('time_series_data', 'kept', '2001-02-01', 1)
      await createDatabaseService(storage, { onConflict: 'ignore' }).storeTimeSeriesData('time_series_data', 'kept', '2001-02-01', 2)

      await expect(createDatabaseService(storage, { onConflict: 'error' }).storeTimeSeriesData('time_series_data', 'kept', '2001-02-01', 3)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNIQUE' })
      expect((await createDatabaseService(storage).getTimeSeriesData('time_series_data', '2001-02-01', '2001-02-02'))[0]?.value).toBe(1)
    })

    it('makes a partition again that was dropped behind its back', async () => {
      const service = createDatabaseService(storage)
      await service.storeTimeSeriesData('time_series_data', 'dropped', '1980-01-01', 1)
      await createPartitionManager(storage).dropBefore('time_series_data', new Date('1990-01-01'))

      await service.storeTimeSeriesData('time_series_data', 'dropped', '1980-01-01', 2)

      expect((await service.getTimeSeriesData('time_series_data', '1980-01-01', '1980-01-02')).map(({ value }) => value)).toEqual([2])
    })

    it('refuses to give a part of what was asked for', async () => {
      const service = createDatabaseService(storage, { maxRows: 3 })
      await service.storeMany('time_series_data', [1, 2, 3, 4].map((value) => ({ id: 'four', time: Date.UTC(1995, 0, value), value })))

      await expect(service.getTimeSeriesData('time_series_data', '1995-01-01', '1996-01-01')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TOO_MANY_ROWS' })
      await expect(service.getTimeSeriesData('time_series_data', '1996-01-01', '1995-01-01')).rejects.toMatchObject({ issues: [{ path: ['end'] }] })
    })

    it('runs any SQL with its values bound', async () => {
      expect(await createDatabaseService(storage).executeQuery('select $1::text as text, $2::bigint as big', [`'; drop table x`, 9007199254740993n])).toEqual([{ text: `'; drop table x`, big: 9007199254740993n }])
    })
  })
})
