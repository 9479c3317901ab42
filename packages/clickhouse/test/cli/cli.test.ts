import { spawn } from 'node:child_process'
import { once } from 'node:events'
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
const json = async (...args: string[]): Promise<{ code: number; answer: Record<string, never> }> => {
  const { code, out } = await run(...args, '--json')
  return { code, answer: JSON.parse(out) as Record<string, never> }
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
    expect(plan.out).toMatch(/1 rides: would send\n {2}CREATE TABLE rides/)
    expect(up.answer).toMatchObject({ succeeded: [{ version: 1, statements: 2 }] })
    expect(asReplicated.out).toContain("ON CLUSTER 'main' (id UInt64, city String) ENGINE = ReplicatedMergeTree(")
    expect(drift.out).toMatch(/rides: column extra\n.*\n.*\n {2}fix {2}ALTER TABLE `rides` DROP COLUMN `extra`/)
    expect(down.out).toMatch(/1 rides: done, 1 statements/)
  })

  it('back a table up, check and restore it', async () => {
    const store = ['--store', join(folder, 'backups')]
    const { answer: made } = await json('backup', 'create', 'rides', ...store)
    const file = String((made as { file?: string }).file)
    await database.owner.execute('TRUNCATE TABLE rides')

    expect(await run('backup', 'verify', file, ...store)).toMatchObject({ code: 0, out: expect.stringContaining(' 0 faults') as string })
    expect((await run('backup', 'restore', 'rides', file, ...store)).code).toBe(0)
    expect((await run('backup', 'list', ...store)).out).toContain(file)
    expect((await database.owner.execute('SELECT count() AS n FROM rides')).rows).toEqual([{ n: 10n }])
    expect((await run('backup', 'delete', file, ...store)).code).toBe(0)
  })

  it('examine, merge, describe and export', async () => {
    const doctor = await json('doctor', '--in', database.name, '--rule', 'nullable-key', '--rule', 'too-many-parts')
    const file = join(folder, 'rides.csv')

    expect(doctor).toMatchObject({ code: 0, answer: { findings: [], followed: ['too-many-parts', 'nullable-key'] } })
    expect((await run('optimize', 'rides', '--final')).out).toMatch(/→ 1 parts/)
    expect((await run('types', '--only', 'rides')).out).toMatch(/city/)
    expect((await run('export', 'SELECT id FROM rides ORDER BY id LIMIT 2', file)).code).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('"id"\n0\n1\n')
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
  }, 60_000)
})

describe('the reference', () => {
  it('says of each command what --help says', async () => {
    const reference = await readFile(new URL('../../../../docs/reference/clickhouse-cli.md', import.meta.url), 'utf8')

    for (const { name, summary, usage, help } of COMMANDS) expect(reference).toContain(`## ${name}\n\n${summary}.\n\n\`\`\`\nsmart-whale-clickhouse ${name} ${usage}`.trimEnd() + (help === '' ? '' : `\n\n${help}`))
  })
})
