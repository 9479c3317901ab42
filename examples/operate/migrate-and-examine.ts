// Takes a schema from version to version, finds what other hands changed, and asks what is wrong with it and what would make it faster.
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { advise, analyzeQuery, applyFixes, createAdapter, createMigrationManager, recordQuestions, runDoctor } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startClickHouse({ dataDir: join(folder.path, 'data'), database: 'app' })
const adapter = createAdapter({ url: server.url, database: 'app', user: server.owner.username, password: server.owner.password })

await writeFile(join(folder.path, '001_rides.up.sql'), 'CREATE TABLE rides (id UInt64, driver UInt32, fare Nullable(Float64), note Nullable(String)) ENGINE = MergeTree ORDER BY id')
await writeFile(join(folder.path, '002_fill.up.sql'), "INSERT INTO rides SELECT number, number % 997, number % 50, if(number % 2, 'x', NULL) FROM numbers(200000)")
const migrations = createMigrationManager(adapter)
const { succeeded } = await migrations.runMigrations(folder.path)
console.log('applied:', succeeded.map(({ name }) => name).join(', '))

// The same files on shards: told, not run.
const cluster = createMigrationManager(adapter, { table: 'elsewhere', topology: { kind: 'distributed', cluster: 'main' } })
for (const { statements } of (await cluster.runMigrations(folder.path, { dryRun: true })).planned) console.log('on shards:', statements.at(-1)?.slice(0, 90))

await adapter.execute('ALTER TABLE rides ADD COLUMN by_hand UInt8')
for (const { table, what, fix } of (await migrations.getDrift()).drift) console.log(`drift: ${table}, ${what} → ${fix}`)

const { findings, unseen } = await runDoctor(adapter, { databases: ['app'], rules: ['needless-nullable', 'readonly-replicas'] })
for (const { object, reason } of findings) console.log(`${object}: ${reason.split(';')[0]}`)
console.log('rules that could not look:', unseen.length)
for (const { outcome, sql } of await applyFixes(adapter, findings, { withCaution: true })) console.log(`${outcome}: ${sql}`)

// A server without a log of queries: what goes through this adapter is noted.
const log = recordQuestions(adapter)
await log.adapter.execute('SELECT count(), sum(fare) FROM rides WHERE driver = 7')
const { findings: costs } = await analyzeQuery(adapter, 'SELECT count(), sum(fare) FROM rides WHERE driver = 7')
for (const { about, reason } of costs) console.log(`${about}: ${reason}`)
const { proposals } = await advise(adapter, { questions: log.questions(), sampleRows: 100_000 })
for (const { kind, what, gain } of proposals.filter((each) => each.kind !== 'codec')) console.log(`${kind}: ${what} saves ${Math.round(gain * 100)} %`)
await adapter.close()
