import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EmbeddedAccount, EmbeddedClickHouse } from '../../src/embedded/index.ts'
import { ask, Servers, until } from './servers.ts'

const servers = new Servers()
let server: EmbeddedClickHouse

beforeAll(async () => {
  server = await servers.start({
    database: 'app',
    reader: { databases: ['app', 'open_*'], limits: { maxExecutionSeconds: 1, maxMemoryBytes: 50_000_000, maxRowsToRead: 100_000, maxResultRows: 1000 } },
    users: [{ username: 'writer', databases: ['own'], readOnly: false }],
  })
  for (const query of [
    'CREATE DATABASE own',
    'CREATE DATABASE other',
    'CREATE DATABASE open_one',
    ...['app', 'own', 'other', 'open_one'].map((name) => `CREATE TABLE ${name}.t (n UInt64) ENGINE = MergeTree ORDER BY n`),
  ]) {
    expect(await ask(server, query, server.owner)).toEqual({ status: 200, text: '' })
  }
})
afterAll(() => servers.dispose())

const refused = async (query: string, account?: EmbeddedAccount): Promise<string | undefined> => {
  const { status, text } = await ask(server, query, account)
  return status === 200 ? `allowed: ${text.slice(0, 80)}` : /\(([A-Z_]+)\)/.exec(text)?.[1]
}

const REACHING_OUT = [
  "SELECT * FROM file('/etc/passwd', LineAsString)",
  "SELECT * FROM url('http://127.0.0.1:1/', LineAsString, 'line String')",
  "SELECT * FROM s3('http://127.0.0.1:1/bucket/key.csv', 'CSV')",
  "SELECT * FROM remote('127.0.0.1', system.one)",
  "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
  "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
  "SELECT * FROM sqlite('/tmp/x', 't')",
  "SELECT * FROM executable('cat', LineAsString, 'line String')",
]

describe('the user "default"', () => {
  it.each(['SELECT 1', 'SELECT count() FROM system.tables', 'SHOW DATABASES', 'SYSTEM STOP LISTEN HTTP', "SELECT file('/etc/passwd')", ...REACHING_OUT])('may not even %s', async (query) => {
    expect(await refused(query)).toBe('USER_SESSION_LIMIT_EXCEEDED')
    expect(await refused(query, { username: 'default', password: '' })).toBe('USER_SESSION_LIMIT_EXCEEDED')
  })
})

describe('the reader', () => {
  it('reads its databases, and computes', async () => {
    for (const query of ['SELECT count() FROM app.t', 'SELECT count() FROM open_one.t', 'SELECT max(number) FROM numbers(10) HAVING 0', 'SELECT 1']) expect((await ask(server, query, server.reader)).status, query).toBe(200)
    expect((await ask(server, 'SHOW DATABASES', server.reader)).text.split('\n')).toEqual(['app', 'open_one'])
  })

  it.each([
    'SELECT count() FROM other.t',
    'SELECT * FROM system.users',
    'SELECT * FROM system.processes',
    'SELECT * FROM system.settings_profiles',
    'INSERT INTO app.t VALUES (1)',
    'CREATE TABLE app.x (n UInt8) ENGINE = Memory',
    'CREATE TEMPORARY TABLE x (n UInt8)',
    'DROP TABLE app.t',
    'SELECT 1 SETTINGS readonly = 0',
    'SET max_threads = 1',
    'SYSTEM STOP LISTEN HTTP',
    'SYSTEM SHUTDOWN',
    "BACKUP TABLE app.t TO File('mine')",
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    'SELECT addressToLine(1::UInt64)',
    'GRANT SELECT ON *.* TO reader',
    ...REACHING_OUT,
  ])('is refused: %s', async (query) => {
    expect(['ACCESS_DENIED', 'READONLY', 'INTO_OUTFILE_NOT_ALLOWED', 'UNKNOWN_FUNCTION']).toContain(await refused(query, server.reader))
  })

  it.each([
    ['time', 'SELECT count() FROM numbers(50000) AS a, numbers(50000) AS b WHERE (a.number * b.number) % 7 = 0', 'TIMEOUT_EXCEEDED'],
    ['memory', 'SELECT groupArray(toString(number)) FROM numbers(99999) ARRAY JOIN range(100) AS r', 'MEMORY_LIMIT_EXCEEDED'],
    ['rows read', 'SELECT count() FROM numbers(1000000) WHERE number % 3 = 0', 'TOO_MANY_ROWS'],
    ['rows returned', 'SELECT number FROM numbers(5000)', 'TOO_MANY_ROWS_OR_BYTES'],
  ])('is limited in %s', async (_what, query, code) => {
    expect(await refused(query, server.reader)).toBe(code)
  })

  it('gets 64-bit integers and decimals exactly', async () => {
    const { text } = await ask(server, "SELECT 18446744073709551615::UInt64 AS a, '0.1'::Decimal(38, 30) AS b FORMAT JSONCompactEachRow", server.reader)
    expect(JSON.parse(text)).toEqual(['18446744073709551615', '0.1'])
  })

  it('has its query ended when it leaves', async () => {
    const running = async (): Promise<string> => (await ask(server, "SELECT count() FROM system.processes WHERE user = 'reader'", server.owner)).text
    const abort = new AbortController()
    const slow = ask(server, 'SELECT sum(sleepEachRow(0.9)) FROM numbers(1)', server.reader, abort.signal).catch(() => 'left')
    await until(async () => (await running()) !== '0', 'the query runs')

    abort.abort()

    expect(await slow).toBe('left')
    await until(async () => (await running()) === '0', 'the query is gone', 3000)
  })
})

describe('further users', () => {
  it('work in their databases and nowhere else', async () => {
    const { writer } = server.users
    expect((await ask(server, 'INSERT INTO own.t VALUES (1)', writer)).status).toBe(200)
    expect(await ask(server, 'CREATE TABLE own.x (n UInt8) ENGINE = MergeTree ORDER BY n', writer)).toEqual({ status: 200, text: '' })
    expect(await refused("CREATE TABLE own.y (line String) ENGINE = File(LineAsString, '/etc/passwd')", writer)).toBe('ACCESS_DENIED')
    expect(await refused('INSERT INTO app.t VALUES (1)', writer)).toBe('ACCESS_DENIED')
    expect(await refused("SELECT * FROM file('/etc/passwd', LineAsString)", writer)).toBe('ACCESS_DENIED')
  })
})

describe('passwords', () => {
  it('are long, random, and neither on the command line nor in a file that stays', async () => {
    const command = await readFile(`/proc/${server.pid}/cmdline`, 'utf8').catch(() => '')
    const configFile = command.split('\0').find((argument) => argument.endsWith('config.xml'))

    expect(server.owner.password.length).toBeGreaterThanOrEqual(32)
    expect(server.owner.password).not.toBe(server.reader.password)
    expect(command).not.toContain(server.owner.password)
    if (configFile) await expect(readFile(configFile)).rejects.toThrow('ENOENT')
  })

  it('are needed', async () => {
    for (const account of [{ ...server.owner, password: '' }, { ...server.owner, password: 'wrong' }, { username: 'nobody', password: '' }]) expect(await refused('SELECT 1', account)).toBe('AUTHENTICATION_FAILED')
  })
})
