import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands/all-commands.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

const PASSWORD = 'never-to-be-seen'
let database: OwnDatabase
let folder: string

beforeAll(async () => {
  database = await ownDatabase()
  folder = await mkdtemp(join(tmpdir(), 'cli-'))
  await writeFile(join(folder, '1_rides.up.sql'), 'CREATE TABLE rides (id UInt64, city String) ENGINE = MergeTree ORDER BY id; INSERT INTO rides SELECT number, toString(number) FROM numbers(10)')
  await writeFile(join(folder, '1_rides.down.sql'), 'DROP TABLE rides')
})
afterAll(async () => {
  await database.drop()
  await rm(folder, { recursive: true, force: true })
})

function address(): string {
  const { url, owner } = inject('clickhouse')
  return url.replace('://', `://${owner.username}:${encodeURIComponent(owner.password)}@`)
}

async function run(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const written = { out: '', error: '' }
  const connection = args.includes('--url') || args.includes('--help') ? [] : ['--url', address(), '--database', database.name]
  const code = await runCli({ args: [...args, ...connection], signal: new AbortController().signal, out: (text) => void (written.out += text), error: (text) => void (written.error += text) })
  expect(written.out + written.error).not.toContain(inject('clickhouse').owner.password)
  return { code, ...written }
}
const json = async (...args: string[]): Promise<{ code: number; answer: Record<string, never>; error: string }> => {
  const { code, out, error } = await run(...args, '--json')
  return { code, answer: JSON.parse(out) as Record<string, never>, error }
}

describe('the command line', () => {
  it('explains itself, and each command', async () => {
    const { code, out } = await run('--help')
    expect(code).toBe(0)
    for (const { name, summary } of COMMANDS) expect(out).toContain(`${name} `.trim() && summary)
    for (const { name } of COMMANDS) {
      const help = await run(...name.split(' '), '--help')
      expect(help).toMatchObject({ code: 0, error: '' })
      expect(help.out).toMatch(/Exit codes:\n {2}0 /)
    }
  })

  it.each([
    [['fly'], /there is no command "fly"; there are migrate up/],
    [['migrate'], /"migrate" needs one more word: migrate up, migrate down/],
    [['doctor', '--deep'], /Unknown option '--deep'; smart-whale-clickhouse doctor --help lists the options/],
    [['backup', 'restore', 'a'], /used like this: smart-whale-clickhouse backup restore TABLE BACKUP/],
    [['migrate', 'up', '--to', 'space'], /--to is "space"; there are single, replicated and distributed/],
    [['migrate', 'up', '--folder', '/nowhere'], /can not be read/],
    [['migrate', 'settle', '1', 'maybe'], /none of took-effect/],
    [['export', 'SELECT 1', 'a.xls'], /"xls" is no format/],
    [['explain', 'SELECT {id:UInt64}, {city:String}', '--param', 'city=a'], /asks for \{id:UInt64\}, and no value was given for it; add --param id=VALUE/],
    [['explain', 'SELECT {id:UInt64}', '--param', 'id=1', '--param', 'idd=2'], /--param idd names no place of the query; its places are \{id:UInt64\}/],
    [['export', 'SELECT 1', 'a.csv', '--param', 'id=1'], /--param id names no place of the query; it has none/],
    [['explain', 'SELECT {id:UInt64}', '--param', 'id=1', '--param', 'id=2'], /--param id is given twice/],
    [['explain', 'SELECT {id:UInt64}', '--param', 'id'], /it is given like this: --param NAME=VALUE/],
    [['explain', 'SELECT :city', '--param', 'city=a'], /:city has no type; write \{city:Type\} in its place/],
    [['explain', 'SELECT $1', '--param', 'p1=a'], /\$1 has no type; write \{p1:Type\}/],
    [['explain', 'SELECT {ids:Array(UInt64)}', '--param', 'ids=1,2'], /--param ids is no JSON; .* like this: --param 'ids=\[1, 2\]'/],
    [['explain', 'SELECT {id:UInt8}', '--param', 'id=300'], /parameter "id" must be from 0 to 255/],
    [['explain', 'SELECT {id:UInt8}', '--param', 'id=\\N'], /parameter "id" must not be null/],
  ])('refuses %j in one line, with exit code 2', async (args, message) => {
    const { code, out, error } = await run(...args)

    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(error).toMatch(message)
    expect(error.split('\n').length).toBe(2)
  })

  it('shows no password, whatever goes wrong', async () => {
    const away = await run('doctor', '--url', `http://someone:${PASSWORD}@127.0.0.1:9/x`)
    const refused = await run('doctor', '--json', '--url', inject('clickhouse').url.replace('://', `://someone:${PASSWORD}@`))

    expect([away.code, refused.code]).toEqual([1, 2])
    expect(away.error + refused.error).not.toContain(PASSWORD)
    expect(JSON.parse(refused.error.trim().split('\n').at(-1) ?? '')).toMatchObject({ error: { code: 'ERR_CLICKHOUSE_AUTHENTICATION' } })
  })
})

describe('its commands', () => {
  it('take a schema there and back', async () => {
    const at = ['--folder', folder]
    const before = await json('migrate', 'status', ...at)
    const plan = await run('migrate', 'plan', ...at)
    const up = await json('migrate', 'up', ...at)
    const after = await run('migrate', 'status', ...at)
    const asReplicated = await run('migrate', 'plan', '--to', 'replicated', '--cluster', 'main', '--table', 'others', ...at)
    await database.owner.execute('ALTER TABLE rides ADD COLUMN extra Int8')
    const drift = await run('migrate', 'drift')
    const accepted = await run('migrate', 'drift', '--accept')
    const down = await run('migrate', 'down', ...at)
    const again = await run('migrate', 'up', ...at)

    expect([before.code, plan.code, up.code, after.code, drift.code, accepted.code, down.code, again.code]).toEqual([3, 0, 0, 0, 3, 0, 0, 0])
    expect(before.answer).toMatchObject({ migrations: [{ version: 1, state: 'pending' }] })
    expect(up.error).toBe('… 1 rides, 1 of 2: CREATE TABLE rides (id UInt64, city String) ENGINE = MergeTree ORDER BY id\n… 1 rides, 2 of 2: INSERT INTO rides SELECT number, toString(number) FROM numbers(10)\n')
    expect(plan.out).toMatch(/1 rides: would send\n {2}CREATE TABLE rides/)
    expect(up.answer).toMatchObject({ succeeded: [{ version: 1, statements: 2 }] })
    expect(asReplicated.out).toContain("ON CLUSTER 'main' (id UInt64, city String) ENGINE = ReplicatedMergeTree(")
    expect(drift.out).toMatch(/rides: column extra\n.*\n.*\n {2}fix {2}ALTER TABLE `rides` DROP COLUMN `extra`/)
    expect(down.out).toMatch(/1 rides: done, 1 statements/)
  })

  it('back a table up, check and restore it', async () => {
    const store = ['--store', join(folder, 'backups')]
    await database.owner.execute('CREATE VIEW far_rides AS SELECT * FROM rides')
    const { answer: made } = await json('backup', 'create', 'rides', ...store)
    const file = String((made as { file?: string }).file)
    await database.owner.execute('TRUNCATE TABLE rides')
    await database.owner.execute('DROP VIEW far_rides SYNC')

    expect(await run('backup', 'verify', file, ...store)).toMatchObject({ code: 0, out: expect.stringContaining(' 0 faults') as string })
    expect((await run('backup', 'restore', 'rides', file, '--views', ...store)).code).toBe(0)
    expect((await run('backup', 'list', ...store)).out).toContain(file)
    expect((await database.owner.execute('SELECT count() AS n FROM far_rides')).rows).toEqual([{ n: 10n }])
    expect((await run('backup', 'delete', file, ...store)).code).toBe(0)
  })

  it('examine, merge, describe and export', async () => {
    const doctor = await json('doctor', '--in', database.name, '--rule', 'nullable-key', '--rule', 'too-many-parts')
    const file = join(folder, 'rides.csv')

    expect(doctor).toMatchObject({ code: 0, answer: { findings: [], followed: ['too-many-parts', 'nullable-key'] } })
    expect(doctor.error).toBe('… too-many-parts\n… nullable-key\n')
    expect(await run('optimize', 'rides', '--final')).toMatchObject({ code: 0, out: expect.stringMatching(/→ 1 parts/) as string, error: expect.stringMatching(/^… merging rides\n/) as string })
    expect(await json('optimize', 'rides')).toMatchObject({ code: 0, answer: { table: 'rides', partsAfter: 1, rowsAfter: '10' } })
    expect((await run('export', 'SELECT id FROM rides ORDER BY id LIMIT 2', file)).code).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('"id"\n0\n1\n')
  })
})

describe('what is slow', () => {
  it('ends by the time that the command line gives a statement, also where the command itself would wait for long', async () => {
    const own = await mkdtemp(join(folder, 'slow-'))
    await writeFile(join(own, '1_slow.up.sql'), 'SELECT sleepEachRow(1) FROM numbers(20) SETTINGS max_block_size = 1')

    const migrated = await json('migrate', 'up', '--folder', own, '--table', 'slow_up', '--timeout-ms', '500')
    const merged = await run('optimize', 'rides', '--final', '--timeout-ms', '1')

    expect(migrated).toMatchObject({ code: 3, answer: { failed: [{ version: 1, error: { code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT' } }] } })
    expect(merged).toMatchObject({ code: 1, error: expect.stringMatching(/1 ms/) as string })
    expect((await run('doctor', '--timeout-ms', '0')).error).toMatch(/--timeout-ms is "0"/)
  })
})

describe('advice on the command line', () => {
  beforeAll(async () => {
    await database.owner.execute("CREATE TABLE trips (id UInt64, driver UInt32, at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 1024")
    await database.owner.execute('INSERT INTO trips SELECT number, number % 997, toDateTime64(number, 3) FROM numbers(60000)', {}, { settings: { async_insert: 0 } })
  })

  it('tells what a query would read, and what is missing, with the statement that mends it', async () => {
    const query = 'SELECT count() FROM trips WHERE driver = 5'

    const told = await run('explain', query)
    const { code, answer } = await json('explain', query)

    expect(told.code).toBe(3)
    expect(told.out).toMatch(/^reads about 60000 rows in \d+ granules of \d+ parts\n.*trips: (\d+) of \1 granules\n {2}PrimaryKey: /)
    expect(told.out).toMatch(/primary-key: .*\n.*skip-index: .*\n {2}→ ALTER TABLE .*ADD INDEX by_driver/s)
    expect({ code, answer }).toMatchObject({ code: 3, answer: { estimate: { rows: 60000 }, findings: [{ about: 'primary-key' }, { about: 'skip-index' }] } })
    expect(await json('explain', 'SELECT * FROM trips WHERE id = 1')).toMatchObject({ answer: { reads: [{ sortingKey: 'id' }] } })
  })

  it('takes the values of the query from the command line, each as its type', async () => {
    const query = 'SELECT count() FROM trips WHERE driver = {driver:UInt32} AND at >= {since:DateTime64(3, \'UTC\')}'

    const { code, answer } = await json('explain', query, '--param', 'driver=5', '--param', 'since=1970-01-01 00:00:00')
    const byKey = await json('explain', 'SELECT * FROM trips WHERE id IN {ids:Array(UInt64)}', '--param', 'ids=[1, 59999]')

    expect({ code, answer }).toMatchObject({ code: 3, answer: { estimate: { rows: 60000 }, findings: [{ about: 'primary-key' }, { about: 'skip-index', remedy: expect.stringMatching(/by_driver/) as string }, { about: 'skip-index' }] } })
    expect(byKey.answer).toMatchObject({ estimate: { granules: 2 } })
  })

  it.each([
    ['String', "it's =\t\\N \n{x:Int8}", "it's =\t\\N \n{x:Int8}"],
    ['Nullable(String)', '\\N', null],
    ['LowCardinality(Nullable(String))', '', ''],
    ['UInt64', '18446744073709551615', '18446744073709551615'],
    ['Decimal(38, 10)', '1234567890123456789.0123456789', '1234567890123456789.0123456789'],
    ['Array(UInt64)', '[18446744073709551615, 1]', ['18446744073709551615', 1]],
    ['Array(Nullable(String))', '["it\'s", null]', ["it's", null]],
    ['Map(String, Int8)', '{"a": 1}', { a: 1 }],
    ['Tuple(Int8, String)', '[1, "b"]', [1, 'b']],
    ['Date', '2026-11-22', '2026-11-22'],
    ['Bool', 'true', true],
  ])('binds a value of %s', async (type, text, value) => {
    const file = join(folder, 'value.jsonl')

    await run('export', `SELECT {v:${type}} AS v`, file, '--param', `v=${text}`)

    // Numbers as they are written: they may have more digits than one of JavaScript.
    const written = JSON.parse((await readFile(file, 'utf8')).replace(/(?<=[[:,] ?)\d{15,}(?:\.\d+)?/g, '"$&"')) as unknown
    expect(written).toEqual({ v: value })
  })

  it('proposes what is measured on a sample, from the log of queries, and tells meanwhile what it measures', async () => {
    for (const driver of [1, 2, 3]) await database.owner.execute(`SELECT count(), max(at) FROM trips WHERE driver = ${driver}`)

    const { code, answer, error } = await json('advise', '--in', database.name, '--sample-rows', '60000', '--questions', '3')
    const told = await run('advise', '--in', database.name, '--sample-rows', '60000', '--questions', '3')

    const proposals = (answer as { proposals?: { kind: string; gain: number; ddl: string[] }[] }).proposals ?? []
    expect(code, error).toBe(0)
    expect(error).toMatch(/^… sampling .*trips\n… measuring /m)
    expect(proposals.find(({ kind }) => kind === 'order-by')?.gain).toBeGreaterThan(0.5)
    expect(told.out).toMatch(/trips: ORDER BY \(`driver`, id\) {2}saves \d\d %.*\n {2}asked \d+×: .*\n {2}→ /)
  })
})

describe('types on the command line', () => {
  it('are a module that the compiler and the builder take', async () => {
    await database.owner.execute("CREATE TABLE `it's odd` (`a b` Nullable(Decimal(9, 2)), e Enum8('x' = 1), tags Array(String)) ENGINE = MergeTree ORDER BY tuple()")
    const project = await mkdtemp(join(import.meta.dirname, 'generated-'))
    try {
      expect(await json('types', '--out', join(project, 'tables.ts'))).toMatchObject({ code: 0, answer: { file: join(project, 'tables.ts') } })
      await writeFile(join(project, 'use.ts'), `import { createQueryBuilder } from '@smart-whale/clickhouse'
import { schema } from './tables.ts'
const rows: { 'a b': string | null; e: 'x'; tag: string }[] = []
export const query = createQueryBuilder(schema).from("it's odd").arrayJoin({ tag: 'tags' }).select('a b', 'e', 'tag').where('e', '=', 'x')
export async function read(adapter: Parameters<typeof query.execute>[0]): Promise<typeof rows> { return [...(await query.execute(adapter)).rows] }
// @ts-expect-error there is no such name in the enum's column
query.where('a b', '=', true)
console.log(query.compile().query)
`)
      // Of the package what the module names, not all that it has: that would take the compiler long.
      await writeFile(join(project, 'clickhouse.ts'), "export { createQueryBuilder } from '../../../src/query-builder/create-query-builder.ts'\nexport { type Column, defineSchema } from '../../../src/query-builder/query-schema.ts'\n")
      const compilerOptions = { noEmit: true, strict: true, target: 'esnext', module: 'nodenext', skipLibCheck: true, allowImportingTsExtensions: true, erasableSyntaxOnly: true, types: ['node'], customConditions: ['@smart-whale/source'], paths: { '@smart-whale/clickhouse': ['./clickhouse.ts'] } }
      await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
      const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
      const compiled = spawnSync(process.execPath, [compiler, '-p', project], { encoding: 'utf8' })

      expect(compiled.stdout + compiled.stderr).toBe('')
    } finally {
      await rm(project, { recursive: true, force: true })
    }
  })
})

describe('the check of isolation', () => {
  it('finds that a login without row policies reads every tenant', async () => {
    await database.owner.execute("CREATE TABLE orders (tenant String, id UInt64) ENGINE = MergeTree ORDER BY id")
    await database.owner.execute("INSERT INTO orders SELECT ['a', 'b'][number % 2 + 1], number FROM numbers(10)")

    const found = await run('check-isolation', 'orders:tenant', '--as-url', `${address()}/${database.name}`)

    expect(found.code).toBe(3)
    expect(found.out).toMatch(/orders, as a: /)
    expect((await run('check-isolation', 'orders', '--as-url', address())).code).toBe(2)
  })
})

describe('the process', () => {
  it('ends by SIGINT in the middle of a migration, leaves no lock, and goes on the next time', async () => {
    const own = await mkdtemp(join(folder, 'slow-'))
    await writeFile(join(own, '1_slow.up.sql'), 'CREATE TABLE IF NOT EXISTS slow (x UInt64) ENGINE = MergeTree ORDER BY x; ALTER TABLE slow ADD COLUMN IF NOT EXISTS y UInt8; SELECT sleepEachRow(0.5) FROM numbers(40) SETTINGS max_block_size = 1')
    const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
    const child = spawn(process.execPath, ['--conditions=@smart-whale/source', main, 'migrate', 'up', '--folder', own, '--table', 'slow_history'], {
      env: { PATH: process.env.PATH, CLICKHOUSE_URL: `${address()}/${database.name}` },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const exited = once(child, 'exit') as Promise<[number | null]>
    const running = "SELECT count() AS n FROM system.processes WHERE query LIKE 'SELECT sleepEachRow(0.5)%' AND current_database = {name:String}"
    while ((await database.owner.execute(running, { name: database.name })).rows[0]?.n === 0n && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20))
    child.kill('SIGINT')
    const [code] = await exited

    const { rows } = await database.owner.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'slow_history_lock%'")
    expect(code, said).toBe(130)
    expect(rows).toEqual([])
  })
})

describe('the reference', () => {
  it('says of each command what --help says', async () => {
    const reference = await readFile(new URL('../../../../docs/reference/clickhouse-cli.md', import.meta.url), 'utf8')

    for (const { name, summary, usage, help } of COMMANDS) expect(reference).toContain(`## ${name}\n\n${summary}.\n\n\`\`\`\nsmart-whale-clickhouse ${name} ${usage}`.trimEnd() + (help === '' ? '' : `\n\n${help}`))
  })
})
