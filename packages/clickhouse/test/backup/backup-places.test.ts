import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startClickHouse } from '../../src/embedded/index.ts'
import { type BackupStore, createAdapter, createBackupManager, folderStore } from '../../src/index.ts'
import { type BackupWorld, backupWorld, rowsOf } from './backup-world.ts'

let world: BackupWorld
beforeAll(async () => void (world = await backupWorld()))
afterAll(() => world.close())

describe('a backup on a disk of the server', () => {
  it('that is an object storage is written by the server, and checked through a store over the same objects', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-disk-'))
    const objects = join(folder.path, 'objects')
    // What `s3_plain` is with a bucket, with a folder in its place: a file's name is its key, and nothing else is kept.
    const disk = { type: 'object_storage', object_storage_type: 'local', metadata_type: 'plain', path: `${objects}/` }
    const config = { storage_configuration: { disks: { offsite: disk } }, backups: { allowed_disk: 'offsite' } }
    await using server = await startClickHouse({ dataDir: join(folder.path, 'server'), config })
    const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password })
    await adapter.execute('CREATE TABLE flights (id UInt64, word String) ENGINE = MergeTree ORDER BY id')
    await adapter.execute("INSERT INTO flights SELECT number, 'word' FROM numbers(1000)")
    // The port alone, as it would stand over an S3 client.
    const { list, read, write, remove } = folderStore(objects)
    const store: BackupStore = { list, read, write, remove }
    const manager = createBackupManager(adapter, { store, native: { disk: 'offsite' } })

    const full = await manager.createBackup('flights')
    await adapter.execute("INSERT INTO flights SELECT 5000, 'more'")
    const file = await manager.createBackup('flights', undefined, { base: full })
    const before = await rowsOf(adapter, 'flights')
    await adapter.execute('TRUNCATE TABLE flights')
    await manager.restoreBackup('flights', file)

    expect(await rowsOf(adapter, 'flights')).toBe(before)
    expect((await manager.verify(file)).manifest).toMatchObject({ method: 'native', base: full, rows: '1001' })
    const [{ name = '' } = {}] = (await list(`${full}/data/`)).filter(({ bytes }) => bytes > 100)
    const bytes = await readFile(join(objects, name))
    bytes[50] = (bytes[50] ?? 0) ^ 1
    await writeFile(join(objects, name), bytes)
    await expect(manager.createBackup('flights', undefined, { base: full })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_DAMAGED' })
    await adapter.close()
  })
})

describe('a backup in a store that no longer answers', () => {
  it('ends when its caller leaves, and what it wrote is removed', async () => {
    await world.adapter.execute('CREATE TABLE sent (id UInt64) ENGINE = MergeTree ORDER BY id')
    await world.adapter.execute('INSERT INTO sent SELECT number FROM numbers(10)')
    const folder = folderStore(world.exportFolder)
    const leaving = new AbortController()
    const removed: string[] = []
    const store: BackupStore = {
      list: (prefix) => folder.list(prefix),
      read: (name) => folder.read(name),
      write: async () => {
        leaving.abort()
        await new Promise(() => {})
      },
      remove: async (prefix) => void removed.push(prefix),
    }

    await expect(createBackupManager(world.adapter, { store }).createBackup('sent', undefined, { signal: leaving.signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    expect(removed).toEqual([expect.stringContaining('sent') as string])
  })
})

describe('an exported backup', () => {
  it('has every type as it was: in Parquet what Parquet can hold, else in the server’s own format', async () => {
    const plain = "id UInt64, u UUID, d Decimal(38, 10), d256 Decimal(76, 5), i256 Int256, e Enum8('a' = 1, 'b' = 2), ip4 IPv4, ip6 IPv6, dt DateTime('Europe/Berlin'), dt9 DateTime64(9), d32 Date32, fs FixedString(5), arr Array(Nullable(String)), m Map(String, Array(UInt8)), t Tuple(a UInt8, b String), b Bool, lc LowCardinality(Nullable(String)), f Float64, s String"
    await world.adapter.execute(`CREATE TABLE typed (${plain}, twice UInt64 MATERIALIZED id * 2, other UInt64 ALIAS id) ENGINE = MergeTree ORDER BY id`)
    await world.adapter.execute(`INSERT INTO typed SELECT * FROM generateRandom('${plain.replaceAll("'", "\\'")}', 1, 10, 3) LIMIT 200`)
    await world.adapter.execute('CREATE TABLE states (id UInt64, total AggregateFunction(sum, UInt64), n Nested(x UInt8, y String), v Variant(String, UInt64), j JSON) ENGINE = MergeTree ORDER BY id')
    await world.adapter.execute(`INSERT INTO states SELECT number, sumState(number), [1, 2], ['a', 'b'], if(number % 2 = 0, number::Variant(String, UInt64), 'text'::Variant(String, UInt64)), '{"a":1}' FROM numbers(100) GROUP BY number`)
    const manager = world.manager(false, { maxFileBytes: 8_000 })

    for (const [table, method] of [['typed', 'Parquet'], ['states', 'Native']] as const) {
      const file = await manager.createBackup(table)
      await manager.restoreBackup(`${table}_again`, file)

      const { manifest } = await manager.verify(file)
      expect(manifest?.method).toBe(method)
      if (table === 'typed') expect(manifest?.files.length).toBeGreaterThan(3)
    }
    expect(await rowsOf(world.adapter, 'typed_again')).toBe(await rowsOf(world.adapter, 'typed'))
    const total = async (table: string): Promise<unknown> => (await world.adapter.execute(`SELECT sumMerge(total) AS total, count() AS rows, toString(groupArray(v)) AS v FROM ${table}`)).rows
    expect(await total('states_again')).toEqual(await total('states'))
  })
})
