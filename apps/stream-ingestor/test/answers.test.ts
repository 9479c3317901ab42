import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ready } from './ingestor-process.ts'
import { type IngestorWorld, openWorld, worldOf } from './ingestor-world.ts'
import { runHere } from './run-here.ts'

/*
 * What the commands answer, to people and to programs: both are kept. A change here is one that somebody's script may notice.
 */

let world: IngestorWorld | null
let topic: string
let environment: Record<string, string>
let own: (text: string) => string

beforeAll(async () => {
  world = await openWorld()
  if (world === null) return
  topic = world.newTopic()
  const { CLICKHOUSE_DATABASE: database = '' } = world.environment
  /** The same words in every run: names, places and times that differ become ones that don't. */
  own = (text) =>
    text
      .replaceAll(topic, 'TOPIC')
      .replaceAll(database, 'DATABASE')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
      .replace(/[\w.-]+:\d+:[0-9a-f]{6}/g, 'OWNER')
      .replace(/ {2,}/g, '  ')
  const pipelines = await world.file('pipelines.json', [
    { topic, partitions: 1, time: 'time', id: 'id', versionFrom: { field: 'v' }, versions: { 1: { fields: { id: 'int64', time: 'timestamp' }, defaults: { city: '?' } }, 2: { fields: { id: 'int64', time: 'timestamp', city: 'string' } } } },
  ])
  environment = { ...world.environment, PIPELINES_FILE: pipelines }
  const child = world.start(environment)
  await ready(child)
  const events = ['{"v":2,"id":1,"time":"2026-01-01T00:00:00Z","city":"Oslo"}', '{"v":2,"id":2,"time":"2026-01-01T00:00:00Z"}', '{"v":1,"id":"x","time":"2026-01-01T00:00:00Z"}', 'no json']
  await world.transport.send(topic, events.map((value) => ({ key: 'k', value })))
  await vi.waitFor(async () => expect((await runHere(['lag', '--max', '0'], environment)).code).toBe(0), { timeout: 60_000, interval: 100 })
  child.kill('SIGTERM')
  await child.exited
})

afterAll(() => world?.close())

interface Answer {
  readonly code: number
  readonly output: string
  readonly errors: string
}

async function answer(...args: string[]): Promise<Answer> {
  const { code, output, errors } = await runHere(args.map((arg) => (arg === 'TOPIC' ? topic : arg)), environment)
  return { code, output: own(output), errors: own(errors) }
}

async function shapeOf(...args: string[]): Promise<unknown> {
  const { output } = await answer(...args, '--json')
  return output.trim().split('\n').map((line) => keysOf(JSON.parse(line)))
}

/** The names in an answer, without its values. */
function keysOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [keysOf(value[0])]
  if (typeof value !== 'object' || value === null) return value === null ? null : typeof value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, keysOf(one)]))
}

describe('answers to people', () => {
  it('check, after a clean stop', async (context) => {
    worldOf(world, context)
    const { code, output, errors } = await answer('check')

    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(output.replace(/^.*(version|fsync|full_page_writes|min.insync|brokers? answers?|message.bytes).*\n/gm, '')).toMatch(
      /^good {2}access tokens {2}none are taken: .*\ngood {2}pipelines file {2}1 pipeline\n(good {2}topic TOPIC {2}1 partition × 1\n)?(good {2}topic TOPIC.dlq {2}1 partition × 1\n)?good {2}ClickHouse table TOPIC {2}7 columns; repeated batches are dropped\ngood {2}PostgreSQL table TOPIC {2}7 columns\n\d+ good(, \d+ warnings?)?\n$/,
    )
  })

  it('lag and verify', async (context) => {
    worldOf(world, context)

    expect(await answer('lag')).toEqual({
      code: 0,
      errors: '',
      output: 'pipeline  topic  partition  done before  end  lag  owner  in flight\nTOPIC  TOPIC  0  4  4  0  OWNER  –\nTOPIC: 0 records behind\n',
    })
    expect(await answer('verify', '--deep')).toEqual({
      code: 0,
      errors: '',
      output: 'topic  partition  from  before  records  good  dead  left out  removed  in flight  wrong\nTOPIC  0  0  4  4  1  3  0  0  –  0\nTOPIC: whole\n',
    })
  })

  it('verify, where there is nothing to compare, or no table to compare with', async (context) => {
    const { clickhouse } = worldOf(world, context)

    expect(await answer('verify', '--from', '900')).toMatchObject({ code: 4, errors: 'nothing was compared: TOPIC 0 has 0 to 3 done\n' })
    expect(await answer('verify', '--from', '3', '--to', '3')).toEqual({ code: 2, output: '', errors: 'smart-whale-ingestor verify: --to 3 is not behind --from 3: no offset lies between them\n' })
    await clickhouse.execute(`RENAME TABLE ${topic} TO ${topic}_aside`)
    const { code, errors } = await answer('verify')
    await clickhouse.execute(`RENAME TABLE ${topic}_aside TO ${topic}`)
    expect(code).toBe(3)
    expect(errors).toMatch(/^smart-whale-ingestor verify: ClickHouse table TOPIC is not there, or not as a pipeline's table: .*; "check" tells what it lacks\n$/)
  })

  it('dead letters, from their death to their end', async (context) => {
    const { file } = worldOf(world, context)
    expect(await answer('dead-letters', 'list', 'TOPIC')).toMatchObject({
      code: 0,
      output: [
        'letters  open  replayed  dropped  code  version  first  last  at  reason',
        '  1  1  0  0  invalid  2  TIME  TIME  0-0  field "city" is missing',
        '  1  1  0  0  invalid  1  TIME  TIME  0-1  field "id" must be an integer of at most # bits, or its digits in a string; is a string',
        '  1  1  0  0  undecodable  –  TIME  TIME  0-2  the message is not JSON',
        'TOPIC: 3 letters, 3 open\n',
      ].join('\n'),
    })
    const patch = await file('patch.json', { fill: { city: 'unknown' } })
    expect(await answer('dead-letters', 'patch', 'TOPIC', '--patch', patch, '--schema-version', '2')).toEqual({ code: 0, output: '0-0  would be taken  {"v":2,"id":2,"time":"TIME","city":"unknown"}\n', errors: '1 letter: 1 would be taken, 0 would stay\n' })
    expect(await answer('dead-letters', 'replay', 'TOPIC', '--patch', patch, '--by', 'ada')).toMatchObject({
      code: 3,
      output: '3 letters chosen: 1 sent, 0 settled before, 2 would die again\n  0-1  field "id" must be an integer of at most 64 bits, or its digits in a string; is a string\n  0-2  the patch leaves it where it is\n',
    })
    expect(await answer('dead-letters', 'drop', 'TOPIC', '--schema-version', 'none', '--by', 'bob')).toEqual({ code: 0, output: '1 letter dropped\n', errors: '' })
    const { output } = await answer('dead-letters', 'show', 'TOPIC')
    expect(output).toMatch(/ {2}is {2}sent again at TIME by ada with patch [0-9a-f]{12}\n/)
    expect(output).toMatch(/ {2}is {2}open\n {2}today {2}it would die again: field "id"/)
    expect(output).toMatch(/ {2}is {2}dropped at TIME by bob\n/)
    expect((await answer('dead-letters', 'show', 'TOPIC', '--open')).output.match(/^0-/gm)).toHaveLength(1)
    expect((await answer('dead-letters', 'list', 'TOPIC')).output).toMatch(/TOPIC: 3 letters, 1 open\n$/)
  })

  it.for([
    ['show', '0 of 3 letters match; "dead-letters list TOPIC" tells what there is\n'],
    ['patch', '0 of 3 letters match; "dead-letters list TOPIC" tells what there is\n'],
    ['replay', ''],
    ['drop', ''],
  ] as const)('dead-letters %s says that nothing matches, and ends with 4', async ([command, errors], context) => {
    const { file } = worldOf(world, context)
    const patch = command === 'patch' || command === 'replay' ? ['--patch', await file('any.json', {})] : []

    expect(await answer('dead-letters', command, 'TOPIC', '--code', 'nope', ...patch)).toMatchObject({ code: 4, errors })
  })
})

describe('answers to programs', () => {
  const place = { partition: 'number', offset: 'string' }
  const letter = { position: place, origin: { topic: 'string', ...place, at: 'string' }, reason: { code: 'string', message: 'string' }, schemaVersion: 'string', at: 'string', key: 'string', headers: {} }

  it('keep their shapes', async (context) => {
    worldOf(world, context)

    expect(await shapeOf('check')).toEqual([{ results: [{ about: 'string', level: 'string', detail: 'string', code: null }] }])
    expect(await shapeOf('lag')).toEqual([{ pipelines: [{ pipeline: 'string', topic: 'string', total: 'string', partitions: [{ partition: 'number', nextOffset: 'string', latest: 'string', lag: 'string', owner: 'string', inFlight: null }] }] }])
    expect(await shapeOf('dead-letters', 'list', 'TOPIC')).toEqual([
      { topic: 'string', letters: 'number', open: 'number', groups: [{ code: 'string', pattern: 'string', schemaVersion: 'string', count: 'number', replayed: 'number', dropped: 'number', firstAt: 'string', lastAt: 'string', examples: [] }] },
    ])
    expect(await shapeOf('dead-letters', 'show', 'TOPIC', '--limit', '1')).toEqual([
      { ...letter, value: { kind: 'string', bytes: 'number', text: 'string', isCut: 'boolean' }, fate: { state: 'string', by: 'string', at: 'string', patch: 'string' }, refusedToday: { code: 'string', field: 'string', reason: 'string' } },
    ])
    expect(await shapeOf('dead-letters', 'replay', 'TOPIC', '--dry-run')).toEqual([{ topic: 'string', isDryRun: 'boolean', selected: 'number', sent: 'number', settledBefore: 'number', stillBad: 'number', stillBadExamples: [{ place: 'string', reason: 'string' }] }])
    expect(await shapeOf('dead-letters', 'drop', 'TOPIC', '--code', 'invalid', '--dry-run')).toEqual([{ topic: 'string', isDryRun: 'boolean', dropped: 'number' }])
  })

  it('name each finding of verify', async (context) => {
    const { clickhouse } = worldOf(world, context)
    await clickhouse.execute(`ALTER TABLE ${topic} DELETE WHERE 1 SETTINGS mutations_sync = 2`)
    const { code } = await answer('verify', '--json')

    expect(code).toBe(3)
    expect(await shapeOf('verify')).toEqual([
      { finding: { kind: 'string', place: 'string', topic: 'string', partition: 'number', firstOffset: 'string', lastOffset: 'string', offsets: 'number', detail: null } },
      { report: expect.objectContaining({ pipeline: 'string', topic: 'string', counts: { missing: 'number' }, isWhole: 'boolean' }) as unknown },
    ])
  })

  it('are one line on standard error when it fails', async (context) => {
    worldOf(world, context)
    const { code, output, errors } = await runHere(['lag', '--json', '--pipeline', 'nope'], environment)

    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(keysOf(JSON.parse(errors))).toEqual({ error: { code: 'string', message: 'string' } })
  })
})
