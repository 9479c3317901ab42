import { inspect } from 'node:util'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '@smart-whale/interfaces'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { startClickHouse } from '../../src/embedded/index.ts'
import { type BackupManager, type BackupManagerOptions, type BackupStore, type ClickHouseAdapter, createAdapter, createBackupManager } from '../../src/index.ts'
import { rowsOf } from './backup-world.ts'
import { openBucket, piecesOf, contentOf, type TestBucket } from './s3-bucket.ts'

/** ClickHouse that may write to a bucket by a disk of its own, and a store over the same objects. */
interface BucketWorld {
  readonly bucket: TestBucket
  readonly adapter: ClickHouseAdapter
  readonly store: BackupStore
  /** The server writes and reads by its disk. */
  readonly byDisk: BackupManager
  /** The server is told address and credentials in each statement. */
  readonly byAddress: BackupManager
  /** Rows go through this process. */
  readonly exporting: BackupManager
  /** Everything that adapter and managers logged. */
  readonly logged: unknown[]
}

let world: BucketWorld | undefined
let lack = ''
const opened = new AsyncDisposableStack()

beforeAll(async () => {
  const { found: bucket, lack: missing } = await openBucket()
  lack = missing
  if (bucket === undefined) return
  opened.defer(() => bucket.stop())
  const folder = opened.use(await mkdtempDisposable(join(tmpdir(), 'smart-whale-bucket-')))
  const { accessKeyId, secretAccessKey } = bucket.access
  const place = `${bucket.address}/${bucket.bucket}/by-server`
  const disk = { type: 's3_plain', endpoint: `${place}/`, access_key_id: accessKeyId, secret_access_key: secretAccessKey }
  const server = opened.use(await startClickHouse({ dataDir: folder.path, config: { storage_configuration: { disks: { offsite: disk } }, backups: { allowed_disk: 'offsite' } } }))
  const logged: unknown[] = []
  const logger = loggerInto(logged)
  const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password }, { logger })
  opened.defer(() => adapter.close())
  const store = bucket.store({ prefix: 'by-server' })
  const manager = (options: BackupManagerOptions): BackupManager => createBackupManager(adapter, { store, logger, ...options })
  world = {
    bucket,
    adapter,
    store,
    byDisk: manager({ native: { disk: 'offsite' } }),
    byAddress: manager({ native: { s3: place, accessKeyId, secretAccessKey } }),
    exporting: manager({ store: bucket.store({ prefix: 'exported' }), maxFileBytes: 20_000 }),
    logged,
  }
}, 660_000)
afterAll(() => opened.disposeAsync())
const worldOf = (context: TestContext): BucketWorld => world ?? context.skip(`needs an S3 server: ${lack}`)

describe('a backup in a bucket', () => {
  it('that the server wrote is restored by it, full and incremental, under another name and in the place of the table', async (context) => {
    const { adapter, byDisk, byAddress } = worldOf(context)
    await makeTable(adapter, 'rides')
    const full = await byDisk.createBackup('rides')
    const first = await rowsOf(adapter, 'rides')
    await adapter.execute("INSERT INTO rides SELECT number, 'more' FROM numbers(50_000, 10)")
    const file = await byDisk.createBackup('rides', undefined, { base: 'latest' })
    const second = await rowsOf(adapter, 'rides')

    expect((await byDisk.listBackups('rides')).map(({ file: name, kind, state }) => ({ name, kind, state }))).toEqual([
      { name: file, kind: 'incremental', state: 'complete' },
      { name: full, kind: 'full', state: 'complete' },
    ])
    expect(await byDisk.verify(file)).toMatchObject({ ok: true, manifest: { method: 'native', base: full, rows: '5010' } })

    for (const [manager, name] of [[byDisk, 'rides_by_disk'], [byAddress, 'rides_by_address']] as const) {
      await manager.restoreBackup(name, full)
      expect(await rowsOf(adapter, name)).toBe(first)
      await adapter.execute('TRUNCATE TABLE rides')
      await manager.restoreBackup('rides', file)
      expect(await rowsOf(adapter, 'rides')).toBe(second)
    }
  })

  it('of a table with an odd name is found by both', async (context) => {
    const { adapter, byDisk, byAddress } = worldOf(context)
    await makeTable(adapter, '`odd-name +%2Dä`')
    const file = await byDisk.createBackup('odd-name +%2Dä')

    for (const [index, manager] of [byDisk, byAddress].entries()) {
      await manager.restoreBackup(`odd_${index}`, file)
      expect(await rowsOf(adapter, `odd_${index}`)).toBe(await rowsOf(adapter, '`odd-name +%2Dä`'))
    }
  })

  it('that is exported comes back as it was, full and incremental', async (context) => {
    const { adapter, exporting } = worldOf(context)
    await makeTable(adapter, 'exported')
    await exporting.createBackup('exported')
    await adapter.execute("INSERT INTO exported SELECT number, 'more' FROM numbers(50_000, 10)")
    const file = await exporting.createBackup('exported', undefined, { base: 'latest' })
    const before = await rowsOf(adapter, 'exported')

    await adapter.execute('DROP TABLE exported')
    await exporting.restoreBackup('exported', file)

    expect(await rowsOf(adapter, 'exported')).toBe(before)
    expect(await exporting.verify(file)).toMatchObject({ ok: true, manifest: { method: 'Parquet', rows: '5010' } })
  })

  it('is found to be damaged before a restore touches anything: one other byte, one object missing, one too many', async (context) => {
    const { adapter, byDisk, byAddress, store } = worldOf(context)
    await makeTable(adapter, 'damaged')
    const file = await byDisk.createBackup('damaged')
    const [{ name = '' } = {}] = (await store.list(`${file}/data/`)).filter(({ bytes }) => bytes > 1000)
    const whole = await contentOf(store, name)
    const rows = await rowsOf(adapter, 'damaged')
    const other = Buffer.from(whole)
    other[100] = (other[100] ?? 0) ^ 1
    const damages: Readonly<Record<string, () => Promise<void>>> = {
      damaged: () => store.write(name, piecesOf(other)),
      missing: () => store.remove(name),
      unexpected: () => store.write(`${file}/data/more`, piecesOf('x')),
    }

    for (const [fault, damage] of Object.entries(damages)) {
      await damage()
      const faults = [expect.objectContaining({ backup: file, fault })]
      expect(await byDisk.verify(file)).toMatchObject({ ok: false, faults })
      await expect(byAddress.restoreBackup('damaged', file)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_DAMAGED', context: { faults } })
      await store.write(name, piecesOf(whole))
    }

    expect(await rowsOf(adapter, 'damaged')).toBe(rows)
    await store.remove(`${file}/data/more`)
    expect(await byDisk.verify(file)).toMatchObject({ ok: true })
  })

  it('is deleted, but not while another needs it, and goes by retention', async (context) => {
    const { adapter, byDisk, store } = worldOf(context)
    await makeTable(adapter, 'kept')
    const full = await byDisk.createBackup('kept')
    const incremental = await byDisk.createBackup('kept', undefined, { base: full })
    const newest = await byDisk.createBackup('kept')

    await expect(byDisk.deleteBackup(full)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_IN_USE' })
    expect(await byDisk.applyRetention('kept', { keep: 1 })).toEqual([incremental, full])
    expect((await byDisk.listBackups('kept')).map(({ file }) => file)).toEqual([newest])
    await byDisk.deleteBackup(newest)

    for (const file of [full, incremental, newest]) expect(await store.list(`${file}/`)).toEqual([])
  })
})

describe('the secret of a bucket', () => {
  it('stands in no error, log and query log, and what failed leaves nothing', async (context) => {
    const { adapter, byAddress, bucket, store, logged } = worldOf(context)
    await makeTable(adapter, 'secret')
    const before = await store.list('')

    // ClickHouse as a library starts no threads for this statement: it reads from an address, and writes by a disk. A server of its own writes to both.
    const error: unknown = await byAddress.createBackup('secret').catch((failure: unknown) => failure)
    const refused: unknown = await createBackupManager(adapter, { store, native: { s3: `${bucket.address}/${bucket.bucket}/x`, accessKeyId: bucket.access.accessKeyId, secretAccessKey: 'a-wrong-secret' } })
      .createBackup('secret')
      .catch((failure: unknown) => failure)

    expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY', message: expect.stringContaining('BackupsIOThreadPool') as string })
    expect(refused).toMatchObject({ message: expect.stringContaining('403') as string })
    expect(await store.list('')).toEqual(before)
    await adapter.execute('SYSTEM FLUSH LOGS')
    const { rows: statements } = await adapter.execute<{ query: string }>("SELECT query, exception FROM system.query_log WHERE query_kind IN ('Backup', 'Restore') AND query LIKE '%S3(%'")
    const { rows: backups } = await adapter.execute("SELECT name, base_backup_name, error FROM system.backups WHERE name LIKE 'S3%'")
    expect(statements.length).toBeGreaterThan(3)
    for (const { query } of statements) expect(query).toContain("'[HIDDEN]'")
    expect(backups).not.toEqual([])
    expect(logged).not.toEqual([])
    const everything = inspect([error, refused, logged, statements, backups], { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null })
    for (const secret of [bucket.access.secretAccessKey, 'a-wrong-secret']) expect(everything).not.toContain(secret)
  })
})

async function makeTable(adapter: ClickHouseAdapter, name: string): Promise<void> {
  await adapter.execute(`CREATE TABLE ${name} (id UInt64, word String) ENGINE = MergeTree PARTITION BY id >= 50_000 ORDER BY id`)
  await adapter.execute(`INSERT INTO ${name} SELECT number, repeat(hex(sipHash64(number)), 3) FROM numbers(5000)`)
}

function loggerInto(logged: unknown[]): Logger {
  const log = (...entry: unknown[]): void => void logged.push(entry)
  const logger: Logger = { trace: log, debug: log, info: log, warn: log, error: log, fatal: log, child: () => logger }
  return logger
}
