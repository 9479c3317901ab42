// Asks ClickHouse as a read-only user: values bound by the server, answers kept until the table changes.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdapter, createAnalyticsService } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startClickHouse({ dataDir: folder.path, database: 'flights' })
const login = (account: { username: string; password: string }) => ({ url: server.url, database: 'flights', user: account.username, password: account.password })
const owner = createAdapter(login(server.owner))
const reader = createAdapter(login(server.reader))

await owner.execute('CREATE TABLE flights (id UInt64, origin LowCardinality(String), delay Int32) ENGINE = MergeTree ORDER BY id')
await owner.execute("INSERT INTO flights SELECT number, ['OSL', 'BGO', 'TRD'][1 + number % 3], number % 90 - 20 FROM numbers(300000)")

const service = createAnalyticsService(reader, { writer: owner })
const question = {
  query: 'SELECT origin, count() AS flights, avg(delay) AS minutes FROM flights WHERE delay > :late GROUP BY origin ORDER BY origin',
  params: { late: 15 },
}
const first = await service.executeAnalyticsQuery(question)
console.table(first.data)
const again = await service.executeAnalyticsQuery(question)
console.log('asked once:', first.cache.status, '- asked again:', again.cache.status)

// An insert through the service voids what it changes, and nothing else.
await service.insert('flights', [{ id: 300_000n, origin: 'OSL', delay: 60 }])
const third = await service.executeAnalyticsQuery(question)
console.log('after an insert:', third.cache.status)

// What a reader may not do has a code of its own.
await service.executeAnalyticsQuery({ query: 'DROP TABLE flights' }).catch((error: { code: string }) => console.log('refused:', error.code))
await service.close()
await Promise.all([owner.close(), reader.close()])
