// Types made from the tables, and queries that the compiler checks: names, values and what comes back.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Column, createAdapter, createQueryBuilder, createQueryOptimizer, defineSchema, generateTypes } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

/** As `generateTypes` writes it. */
interface Tables {
  flights: { id: Column<'UInt64', bigint>; origin: Column<'LowCardinality(String)', string>; delay: Column<'Nullable(Int32)', number | null>; at: Column<"DateTime64(3, 'UTC')", Date>; via: Column<'Array(String)', string[]> }
  airports: { code: Column<'String', string>; name: Column<'String', string> }
}
const schema = defineSchema<Tables>({
  flights: { id: 'UInt64', origin: 'LowCardinality(String)', delay: 'Nullable(Int32)', at: "DateTime64(3, 'UTC')", via: 'Array(String)' },
  airports: { code: 'String', name: 'String' },
})

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startClickHouse({ dataDir: folder.path, database: 'flights' })
const adapter = createAdapter({ url: server.url, database: 'flights', user: server.owner.username, password: server.owner.password })
await adapter.execute("CREATE TABLE flights (id UInt64, origin LowCardinality(String), delay Nullable(Int32), at DateTime64(3, 'UTC'), via Array(String)) ENGINE = MergeTree ORDER BY (id, intHash32(id)) SAMPLE BY intHash32(id)")
await adapter.execute('CREATE TABLE airports (code String, name String) ENGINE = MergeTree ORDER BY code')
await adapter.execute("INSERT INTO flights SELECT number, ['OSL', 'BGO', 'TRD'][1 + number % 3], if(number % 10 = 0, NULL, number % 90 - 20), toDateTime64('2001-01-01', 3, 'UTC') + number, if(number % 3 = 2, ['OSL', 'SVG'], []) FROM numbers(30000)")
await adapter.insert('airports', [{ code: 'OSL', name: 'Oslo' }, { code: 'BGO', name: 'Bergen' }])
console.log((await generateTypes(adapter)).split('\n').slice(0, 9).join('\n'))

const db = createQueryBuilder(schema)
const late = db
  .with('late', (inner) => inner.from('flights').select('origin', 'delay').where('delay', '>', 15).where('at', '>=', new Date('2001-01-01T01:00:00Z')))
  .from('late')
  .leftJoin('airports', ['late.origin', 'airports.code'])
  .select({ origin: 'late.origin', name: 'airports.name', flights: (e) => e.count(), worst: (e) => e.max('delay') })
  .groupBy('late.origin', 'airports.name')
  .having((e) => e.compare(e.count(), '>', 100))
  .orderBy('flights', 'desc')
  .orderBy('origin')
console.log(late.compile())
// rows: { origin: string; name: string | null; flights: bigint; worst: number | null }[]
const { rows } = await late.execute(adapter)
console.table(rows)

// Hours without flights are there as well; a tenth of the flights, a row for each airport on their way, and airports that none of them has.
const hours = db.from('flights').select({ hour: (e) => e.startOf('hour', 'at'), flights: (e) => e.count() }).where('origin', '=', 'OSL').groupBy('hour')
console.table((await hours.orderBy('hour', 'asc', { fill: { to: new Date('2001-01-01T11:00:00Z'), step: [1, 'hour'] } }).execute(adapter)).rows)
const ways = db.from('flights').sample(0.1).arrayJoin({ stop: 'via' }).fullJoin('airports', ['stop', 'airports.code'])
// rows: { stop: string | null; name: string | null; stops: bigint }[]
console.table((await ways.select({ stop: 'stop', name: 'name', stops: (e) => e.count('stop') }).groupBy('stop', 'name').orderBy('stop').execute(adapter)).rows)

// Queries that were written by hand may be rewritten where their rows are sure to stay the same.
const { query, rewrites } = createQueryOptimizer(adapter).optimizeQuery('SELECT DISTINCT origin, count() FROM flights WHERE id > 5 AND id > 5 GROUP BY origin HAVING origin IN (SELECT code FROM airports) AND origin != :other')
console.log(query)
for (const { rule, reason } of rewrites) console.log(`${rule}: ${reason}`)
await adapter.close()
