import { describe, expect, it } from 'vitest'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createBackupManager } from './backup-manager.ts'
import { nameBackup } from './backup-names.ts'
import type { BackupStore } from './backup-store.ts'
import { type BackupManifest, renderManifest } from './manifest.ts'

const NAMES = Array.from({ length: 40 }, (_, index) => nameBackup({ database: 'db', name: 'rides' }, null, Date.UTC(2026, 0, 1) + index * 60_000))
const [first, second, third] = NAMES as [string, string, string]

function manifestOf(name: string, index: number): BackupManifest {
  return {
    format: 1,
    name,
    database: 'db',
    table: 'rides',
    partition: null,
    createdAt: new Date(Date.UTC(2026, 0, 1) + index * 60_000).toISOString(),
    serverVersion: '26.7',
    engine: 'MergeTree',
    definition: 'CREATE TABLE db.rides (n UInt8) ENGINE = MergeTree ORDER BY n',
    columns: [{ name: 'n', type: 'UInt8' }],
    method: 'Native',
    base: null,
    rows: '1',
    partitions: [],
    files: [],
    dependents: [],
  }
}

/** A place over the network: each answer takes a while, and may be a failure of its own. */
function bucket(failing: Readonly<Record<string, Error | 'silence'>> = {}) {
  const files = new Map(NAMES.map((name, index) => [`${name}/manifest.json`, renderManifest(manifestOf(name, index))]))
  const seen = { open: 0, most: 0, lists: 0 }
  const store: BackupStore = {
    list: async (prefix) => {
      seen.lists += 1
      return [...files].filter(([name]) => name.startsWith(prefix)).map(([name, text]) => ({ name, bytes: text.length }))
    },
    async *read(name) {
      seen.most = Math.max(seen.most, ++seen.open)
      await new Promise((resolve) => setImmediate(resolve))
      seen.open -= 1
      const failure = failing[name.split('/')[0] as string]
      if (failure === 'silence') await new Promise(() => {})
      else if (failure !== undefined) throw failure
      yield Buffer.from(files.get(name) as string)
    },
    write: async () => {},
    remove: async (prefix) => void [...files.keys()].filter((name) => name.startsWith(prefix)).forEach((name) => files.delete(name)),
  }
  return { files, seen, manager: createBackupManager({ database: 'db' } as ClickHouseAdapter, { store }) }
}

describe('a list of backups', () => {
  it('reads a few manifests at once, and each with one request', async () => {
    const { manager, seen } = bucket()

    expect((await manager.listBackups('rides')).map(({ file }) => file)).toEqual(NAMES.toReversed())
    expect(seen).toEqual({ open: 0, most: 8, lists: 1 })
  })

  it('has the others beside one that is damaged and one that the place can not give', async () => {
    const { manager, files } = bucket({ [second]: new Error('503 Slow Down') })
    files.set(`${first}/manifest.json`, (files.get(`${first}/manifest.json`) as string).replace('26.7', '26.8'))

    const states = new Map((await manager.listBackups('rides')).map(({ file, state }) => [file, state]))

    expect([states.get(first), states.get(second), states.get(third)]).toEqual(['damaged', 'unreadable', 'complete'])
    expect(states.size).toBe(40)
  })

  it('ends at its deadline when the place keeps one back', async () => {
    const { manager } = bucket({ [second]: 'silence' })

    await expect(manager.listBackups('rides', { timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
  })
})

describe('a backup', () => {
  it('is not deleted while it may be the base of one whose manifest can not be read', async () => {
    const { manager, files } = bucket({ [second]: new Error('503 Slow Down') })

    await expect(manager.deleteBackup(first)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_IN_USE', status: 409, context: { dependent: second } })
    await expect(manager.applyRetention('rides', { keep: 3 })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_IN_USE' })
    expect(files.size).toBe(40)

    await manager.deleteBackup(second)
    await manager.deleteBackup(first)
    expect(files.size).toBe(38)
  })
})
