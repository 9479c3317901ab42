import { createTimescaleAdapter, type TimescaleDBOptions, type TimescaleDBStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe } from 'vitest'
import type { FreshDatabase } from '../../../../tools/engines/fresh-database.ts'
import { describeEditions } from '../each-engine.ts'

/** What a suite works with, once its tests run. */
export interface StorageUnderTest {
  readonly storage: TimescaleDBStorage
  readonly driver: 'pg' | 'postgres'
  /** Another storage over the same database; closed at the end. */
  another(options?: TimescaleDBOptions, dependencies?: Parameters<typeof createTimescaleAdapter>[1]): TimescaleDBStorage
}

/** Runs a suite on each server with each driver, on a database of its own. */
export function describeStorage(name: string, suite: (subject: StorageUnderTest) => void): void {
  describeEditions((engine) => {
    describe.each(['pg', 'postgres'] as const)(`${name} over %s`, (driver) => {
      const opened: TimescaleDBStorage[] = []
      let database: FreshDatabase
      const another: StorageUnderTest['another'] = (options, dependencies) => {
        const storage = createTimescaleAdapter({ url: database.url, driver, ...options }, dependencies)
        opened.push(storage)
        return storage
      }
      beforeAll(async () => {
        database = await engine.freshDatabase()
        await another().connect()
      })
      afterAll(async () => {
        await Promise.all(opened.map((storage) => storage.disconnect()))
        await database.drop()
      })

      suite({
        driver,
        another,
        get storage() {
          return opened[0] as TimescaleDBStorage
        },
      })
    })
  })
}
