import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type IngestorWorld, openWorld, worldOf } from './ingestor-world.ts'
import { runHere } from './run-here.ts'

let world: IngestorWorld | null
let topic: string
let pipelines: string

beforeAll(async () => {
  world = await openWorld()
  if (world === null) return
  topic = world.newTopic()
  pipelines = await world.file('pipelines.json', [{ topic, fields: { id: 'int64', time: 'timestamp', city: 'string' }, time: 'time', id: 'id' }])
  await world.transport.topics.create(topic, { partitions: 4, replication: 1 })
})

afterAll(() => world?.close())

const COMMANDS = ['run', 'check', 'lag', 'verify', 'dead-letters list', 'dead-letters show', 'dead-letters replay', 'dead-letters drop']
const ON_CLICKHOUSE = ['run', 'check', 'verify']
const ON_POSTGRES = ['run', 'check', 'lag', 'verify']

const argsOf = (command: string): string[] => [...command.split(' '), ...(command.startsWith('dead') ? [topic] : []), ...(command.endsWith('drop') ? ['--code', 'x'] : [])]
const changed = (url: string, change: (url: URL) => void): string => {
  const address = new URL(url)
  change(address)
  return address.href
}

interface Cause {
  readonly commands: readonly string[]
  readonly code: number
  readonly says: RegExp
  readonly changes: (world: IngestorWorld) => Record<string, string> | Promise<Record<string, string>>
}

const SECRET = 'not-the-password'

const CAUSES: readonly (readonly [name: string, cause: Cause])[] = [
  ['a broker that is away', { commands: COMMANDS, code: 1, says: /127\.0\.0\.1:9 failed .*check KAFKA_BROKERS/, changes: () => ({ KAFKA_BROKERS: '127.0.0.1:9' }) }],
  [
    'a Kafka password that is wrong',
    {
      commands: COMMANDS,
      code: 2,
      says: /check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD/,
      changes: ({ kafka }) => ({ KAFKA_BROKERS: kafka.sasl?.brokers.join() ?? '', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_USERNAME: kafka.sasl?.username ?? '', KAFKA_SASL_PASSWORD: SECRET }),
    },
  ],
  [
    'a Kafka password file that is not there',
    { commands: COMMANDS, code: 2, says: /KAFKA_SASL_PASSWORD_FILE: \/nope can't be read: there is no such file/, changes: () => ({ KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD_FILE: '/nope' }) },
  ],
  ['a broker without a port', { commands: ['run', 'check', 'lag'], code: 2, says: /KAFKA_BROKERS \(its entry 1\) must be "host:port"/, changes: () => ({ KAFKA_BROKERS: 'localhost' }) }],
  ['a certificate that is none', { commands: ['run', 'check', 'lag'], code: 2, says: /KAFKA_TLS_CA_FILE/, changes: async ({ file }) => ({ KAFKA_TLS_CA_FILE: await file('ca.pem', SECRET) }) }],
  ['a listener that speaks TLS', { commands: ['run', 'check'], code: 2, says: /set KAFKA_TLS=true/, changes: ({ kafka }) => ({ KAFKA_BROKERS: kafka.tls?.brokers.join() ?? '' }) }],
  ['a ClickHouse that is away', { commands: ON_CLICKHOUSE, code: 1, says: /127\.0\.0\.1:9/, changes: () => ({ CLICKHOUSE_URL: 'http://127.0.0.1:9' }) }],
  ['a ClickHouse password that is wrong', { commands: ON_CLICKHOUSE, code: 2, says: /password/i, changes: () => ({ CLICKHOUSE_PASSWORD: SECRET }) }],
  ['a ClickHouse password file that is a folder', { commands: COMMANDS, code: 2, says: /CLICKHOUSE_PASSWORD_FILE: \/ can't be read: it is a folder/, changes: () => ({ CLICKHOUSE_PASSWORD_FILE: '/' }) }],
  ['a PostgreSQL that is away', { commands: ON_POSTGRES, code: 1, says: /127\.0\.0\.1:9|ECONNREFUSED/, changes: () => ({ DATABASE_URL: `postgres://u:${SECRET}@127.0.0.1:9/d` }) }],
  [
    'a PostgreSQL login that is wrong',
    { commands: ON_POSTGRES, code: 2, says: /refused the login/, changes: ({ environment }) => ({ DATABASE_URL: changed(environment.DATABASE_URL as string, (url) => Object.assign(url, { username: 'nobody_here', password: SECRET })) }) },
  ],
  [
    'a PostgreSQL database that is not there',
    { commands: ON_POSTGRES, code: 2, says: /database .*nope.* does not exist/, changes: ({ environment }) => ({ DATABASE_URL: changed(environment.DATABASE_URL as string, (url) => Object.assign(url, { pathname: '/nope' })) }) },
  ],
  ['a pipelines file that is not there', { commands: COMMANDS, code: 2, says: /the pipelines file: \/nope\.json can't be read: there is no such file/, changes: () => ({ PIPELINES_FILE: '/nope.json' }) }],
  ['a pipelines file that is wrong', { commands: COMMANDS, code: 2, says: /pipelines\[0\]/, changes: async ({ file }) => ({ PIPELINES_FILE: await file('wrong.json', [{ topic: 'a' }]) }) }],
  ['a JWKS file that is not there', { commands: ['run', 'run --check-config', 'check'], code: 2, says: /AUTH_JWKS_FILE: \/nope can't be read: there is no such file/, changes: () => ({ AUTH_JWKS_FILE: '/nope', AUTH_ISSUER: 'https://auth.example.com' }) }],
  ['a JWKS file that is none', { commands: ['run', 'run --check-config', 'check'], code: 2, says: /AUTH_JWKS_FILE: .* is no JWK set/, changes: async ({ file }) => ({ AUTH_JWKS_FILE: await file('keys.json', '{}'), AUTH_ISSUER: 'https://auth.example.com' }) }],
  [
    'a topic that is not there',
    {
      commands: ['lag', 'verify'],
      code: 3,
      says: /there is no topic "test_nowhere"; "run" makes it at its first start/,
      changes: async ({ file }) => ({ PIPELINES_FILE: await file('nowhere.json', [{ topic: 'test_nowhere', fields: { id: 'int64', time: 'timestamp' }, time: 'time' }]) }),
    },
  ],
  ['a variable that is misspelt', { commands: COMMANDS, code: 2, says: /KAFKA_BROKER is set, and nothing reads it: did you mean KAFKA_BROKERS\?/, changes: () => ({ KAFKA_BROKERS: '', KAFKA_BROKER: SECRET }) }],
]

describe('every command ends alike', () => {
  it.for(CAUSES)('with %s', async ([, { commands, code, says, changes }], context) => {
    const here = worldOf(world, context)
    const environment = { ...here.environment, PIPELINES_FILE: pipelines, ...(await changes(here)) }
    const ended = await Promise.all(commands.map(async (command) => ({ command, ...(await runHere(argsOf(command), environment)) })))

    expect(ended.map(({ command, code: found }) => `${command}: ${found}`)).toEqual(commands.map((command) => `${command}: ${code}`))
    for (const { output, errors } of ended) {
      expect(output + errors).toMatch(says)
      expect(output + errors).not.toContain(SECRET)
    }
  })
})

describe('a start over what is not as declared', () => {
  it('refuses a table whose columns have other types as check does, before anything is stored', async (context) => {
    const { clickhouse, timescaledb, environment, file, transport, newTopic } = worldOf(world, context)
    const other = newTopic()
    const origin = { clickhouse: 'event_id String, source_topic String, source_partition Int32, source_offset Int64', timescaledb: 'event_id text, source_topic text, source_partition integer, source_offset bigint' }
    await clickhouse.execute(`CREATE TABLE ${other} (id Int64, time DateTime64(3, 'UTC'), city Int32, ${origin.clickhouse}) ENGINE = MergeTree ORDER BY time SETTINGS non_replicated_deduplication_window = 10000`)
    await timescaledb.execute(`create table ${other} (id integer, time timestamptz not null, city text, zone text not null, ${origin.timescaledb})`)
    await transport.topics.create(other, { partitions: 1, replication: 1 })
    const own = { ...environment, PIPELINES_FILE: await file('other.json', [{ topic: other, fields: { id: 'int64', time: 'timestamp', city: 'string' }, time: 'time', id: 'id', partitions: 1 }]) }
    const [checked, run] = await Promise.all([runHere(['check'], own), runHere(['run'], own)])

    expect([checked.code, run.code]).toEqual([3, 3])
    for (const words of [/column city is Int32, declared is String/, /column id is integer, declared is bigint/, /column zone takes no null, and no field is declared for it; .*alter column "zone" drop not null/]) {
      const [said] = words.exec(checked.output) ?? ['not said by check']
      expect(run.errors).toContain(said)
    }
    expect((await clickhouse.execute(`SELECT count() AS rows FROM ${other}`)).rows).toEqual([{ rows: 0n }])
  })
})
