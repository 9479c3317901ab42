// Starts both engines over a folder, backs their tables up to files, and restores one to see that it works.
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtempDisposable, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { createAdapter } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'
import { toWire } from '@smart-whale/interfaces'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { startPostgres } from '@smart-whale/timescaledb/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using clickhouseServer = await startClickHouse({ dataDir: join(folder.path, 'clickhouse') })
await using postgresServer = await startPostgres({ dataDir: join(folder.path, 'postgres') })
console.log(`ClickHouse answers on port ${clickhouseServer.port}, PostgreSQL on ${postgresServer.port}`)
const clickhouse = createAdapter({ url: clickhouseServer.url, user: clickhouseServer.owner.username, password: clickhouseServer.owner.password })
const timescaledb = createTimescaleAdapter({ url: postgresServer.url })
await clickhouse.execute('CREATE TABLE events (id UInt64, word String) ENGINE = MergeTree ORDER BY id')
await clickhouse.execute("INSERT INTO events SELECT number, 'whale' FROM numbers(100000)")
await timescaledb.execute("create table events as select id, 'whale' as word from generate_series(1, 100000) as id")

// ClickHouse backs itself up; a file name is relative to the server's backup folder.
await clickhouse.execute("BACKUP TABLE events TO File('events-backup')")
await clickhouse.execute('DROP TABLE events SYNC')
await clickhouse.execute("RESTORE TABLE events FROM File('events-backup')")
console.log('ClickHouse, restored:', (await clickhouse.execute('SELECT count() AS rows FROM events')).rows[0], 'from', clickhouseServer.backupPath)

// PostgreSQL's rows go to a file as a stream: a table of any size takes the same memory.
const file = join(folder.path, 'events.jsonl.gz')
async function* lines() {
  for await (const row of timescaledb.stream('select * from events order by id')) yield `${JSON.stringify(toWire(row))}\n`
}
await pipeline(Readable.from(lines()), createGzip(), createWriteStream(file))
await timescaledb.execute('truncate events')
const rows: Record<string, unknown>[] = []
for await (const line of createInterface({ input: createReadStream(file).pipe(createGunzip()) })) rows.push(JSON.parse(line) as Record<string, unknown>)
console.log(`PostgreSQL, restored: ${await timescaledb.bulkInsert('events', rows)} rows from ${(await stat(file)).size} bytes`)

await Promise.all([clickhouse.close(), timescaledb.disconnect()])
