import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAdapter, readCapabilities } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
})
afterAll(() => own.drop())

describe('readCapabilities', () => {
  it('finds what the embedded server has and lacks', async () => {
    const found = await readCapabilities(own.owner)

    expect(found).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+\./) as string, timeZone: 'UTC', mayBringSettings: true, hasKeeper: false, managesUsersBySql: false, hasQueryLog: true })
    expect(Array.isArray(found.clusters)).toBe(true)
    // What it says is so.
    await expect(own.owner.execute('CREATE USER somebody')).rejects.toBeDefined()
    await expect(own.owner.execute("CREATE TABLE replicated (id UInt8) ENGINE = ReplicatedMergeTree('/x', 'r') ORDER BY id")).rejects.toBeDefined()
  })

  it('knows of a read-only user that its requests bring no settings, and says null of what it may not see', async () => {
    const found = await readCapabilities(own.reader)

    expect(found.mayBringSettings).toBe(false)
    expect(found.version).toMatch(/^\d+\./)
    for (const value of [found.clusters, found.hasKeeper, found.managesUsersBySql]) expect(value === null || value === false || Array.isArray(value)).toBe(true)
  })

  it('fails when nobody answers', async () => {
    const adapter = createAdapter({ url: 'http://127.0.0.1:1', retry: { maxAttempts: 1 } })

    await expect(readCapabilities(adapter)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONNECTION' })
    await adapter.close()
  })
})
