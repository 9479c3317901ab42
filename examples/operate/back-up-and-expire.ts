// Backs a table up in full and by what changed, shows that a damaged backup is found out, restores one, and lets old rows go.
import { appendFile, mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdapter, createBackupManager, createDataCompressor, createLifecycleManager } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startClickHouse({ dataDir: folder.path })
const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password })
await adapter.execute("CREATE TABLE rides (id UInt64, at DateTime('UTC'), city LowCardinality(String)) ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY id")
await adapter.execute("INSERT INTO rides SELECT number, now() - number * 60, 'Bremen' FROM numbers(200000)")

const backups = createBackupManager(adapter, { store: server.backupPath })
const full = await backups.createBackup('rides')
await adapter.execute("INSERT INTO rides VALUES (1000000, now(), 'Kiel')")
const file = await backups.createBackup('rides', undefined, { base: 'latest' })
for (const { kind, rows, bytes } of await backups.listBackups('rides')) console.log(`${kind}: ${rows} rows, ${bytes} bytes`)

await adapter.execute('TRUNCATE TABLE rides')
await backups.restoreBackup('rides', file)
console.log('restored:', (await adapter.execute('SELECT count() AS rows FROM rides')).rows[0])

const { manifest } = await backups.verify(full)
await appendFile(join(server.backupPath, full, manifest?.files[0]?.name ?? ''), '!')
console.log('damaged:', (await backups.verify(file)).faults)

const lifecycle = createLifecycleManager(adapter, { retentionDays: 60 })
const { rows, droppedPartitions, deletedRows } = await lifecycle.expire('rides', 'at')
console.log(`expired: ${rows} rows, ${droppedPartitions.length} whole partitions and ${deletedRows} rows one by one`)

const [advice] = await createDataCompressor(adapter, { sampleRows: 50_000 }).adviseCodecs('rides', ['at'])
console.log('codec:', advice?.statement ?? advice?.reason)
await adapter.close()
