import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStandalone, type StandaloneProcess, temporaryFolder } from './standalone-process.ts'

interface Operation {
  readonly method: string
  readonly path: string
  readonly query: readonly string[]
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let standalone: StandaloneProcess
let address: { url: string; token: string }
let operations: readonly Operation[]

beforeAll(async () => {
  folder = await temporaryFolder()
  const pipelines = join(folder.path, 'pipelines.json')
  await mkdir(folder.path, { recursive: true })
  await writeFile(pipelines, JSON.stringify([{ topic: 'rides', fields: { id: 'uuid', time: 'timestamp', city: 'string', fare: 'decimal(8,2)', seats: 'int64?' }, time: 'time', id: 'id' }]))
  standalone = startStandalone(['--data', folder.path, '--no-sample', '--port', '0'], { LOG_LEVEL: 'error' })
  address = await standalone.ready
  operations = await readOperations()
})

afterAll(async () => {
  standalone.kill('SIGTERM')
  await standalone.exited
  await folder.remove()
})

/** Every route that the API reference lists. */
async function readOperations(): Promise<Operation[]> {
  const document = (await (await fetch(`${address.url}/docs/json`)).json()) as { paths: Record<string, Record<string, { parameters?: { name: string; in: string }[] }>> }
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      query: (operation.parameters ?? []).filter((parameter) => parameter.in === 'query').map((parameter) => parameter.name),
    })),
  )
}

const times = fc.constantFrom('2001-01-01T00:00:00Z', '2002-01-01', '-1d', 'last 15 minutes', 'now', '0000-00-00', '9999999999999999')
const words = fc.constantFrom('rides', 'time', 'city', 'fare', 'seats', 'count', 'sum:fare', 'avg:seats,max:time', '1 day', '1 month', 'linear', 'locf', 'null', 'asc', 'desc', 'pg_catalog', "x'; drop table rides; --", '100000000', '-1', '1e9', 'NaN', '')
const text = fc.oneof(words, times, fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.toWellFormed()), fc.integer().map(String))
const query = fc.constantFrom('SELECT 1', 'SELECT * FROM rides', 'SELECT sum(fare) FROM rides WHERE city = :city', 'SELECT {x:UInt8}', 'SELECT 1; SELECT 2', 'DROP TABLE rides', 'INSERT INTO rides VALUES', 'SELECT * FROM system.users', "SELECT * FROM file('/etc/passwd')", "SELECT * FROM url('http://127.0.0.1:1/')", 'SELECT sleep(3)', 'SELECT 1 FORMAT CSV', 'SELECT * FROM numbers(1000000000000)', 'SELECT (', 'SET readonly = 0', 'SELECT \u0000', ':x:', '$1', '{', '/*')
const event = fc.record({ id: fc.oneof(fc.uuid(), text), time: fc.oneof(times, fc.anything()), city: fc.oneof(text, fc.anything()), fare: fc.oneof(fc.double(), text), seats: fc.anything() }, { requiredKeys: [] })
const graphql = fc.constantFrom('{ __typename }', '{ analytics(query: "SELECT 1") { data } }', '{ a', '{ analytics }', 'mutation { x }', '{ cacheStats { hits } }', '{'.repeat(500))
/** Bodies of about the right shape, by the start of the route's path. */
const fitting: readonly (readonly [start: string, body: fc.Arbitrary<unknown>])[] = [
  ['/analytics/cache', fc.record({ query, tables: fc.array(words), tags: fc.anything() }, { requiredKeys: [] })],
  ['/analytics', fc.record({ query, params: fc.oneof(fc.constant({ city: 'Oslo', x: 1 }), fc.dictionary(fc.string(), fc.anything())), options: fc.oneof(fc.constant({ cache: false }), fc.anything()) }, { requiredKeys: ['query'] })],
  ['/graphql', fc.record({ query: graphql, variables: fc.oneof(fc.constant({}), fc.anything()) }, { requiredKeys: ['query'] })],
  ['/ingest', fc.array(event, { maxLength: 5 })],
  ['/timeseries', fc.record({ points: fc.array(event, { maxLength: 5 }) })],
]
const bodies = fc.tuple(fc.anything(), fc.tuple(...fitting.map(([, arbitrary]) => arbitrary)))
const goodQuery: Readonly<Record<string, string>> = { start: '2001-01-01T00:00:00Z', end: '2002-01-01T00:00:00Z', interval: '1 month', metrics: 'count,sum:fare', limit: '10', groupBy: 'city', fill: 'null' }

const contentType = fc.oneof({ weight: 8, arbitrary: fc.constant('application/json') }, fc.constantFrom('application/x-ndjson', 'text/plain', 'multipart/form-data', 'application/json; charset=utf-7', ''))

/** JSON of whatever it is: BigInt, cycles and the like are what they are as text. */
function printed(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? ''
  } catch {
    return String(Object.prototype.toString.call(value))
  }
}

describe('every route', () => {
  it('answers whatever it is sent with less than 500, as problem details where it refuses', async () => {
    expect(operations.length).toBeGreaterThan(10)
    const seen = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(text, { minLength: 12, maxLength: 12 }), bodies, contentType, fc.integer({ min: 0, max: 6 }), async (pick, values, [anything, shaped], type, broken) => {
        const operation = operations[pick % operations.length] as Operation
        const path = operation.path.replace(/\{(\w+)\}/g, (_whole, parameter: string) => encodeURIComponent(broken === 0 ? (values[0] as string) : parameter === 'topic' || parameter === 'table' ? 'rides' : (values[1] as string)))
        const wild = (parameter: string, index: number): boolean => broken < 3 || (broken === 3 && index === 0) || goodQuery[parameter] === undefined
        const search = new URLSearchParams(Object.fromEntries(operation.query.flatMap((parameter, index) => (wild(parameter, index) ? (broken > 3 || values[index] === '' ? [] : [[parameter, values[index % values.length] as string]]) : [[parameter, goodQuery[parameter] as string]]))))
        const shape = fitting.findIndex(([start]) => operation.path.startsWith(start))
        const sent = broken === 2 || shape === -1 ? anything : shaped[shape]
        const payload = broken === 1 ? printed(sent).slice(0, -1) : printed(sent)
        const response = await fetch(`${address.url}${path}?${search.toString()}`, {
          method: operation.method,
          headers: { authorization: `Bearer ${address.token}`, ...(operation.method === 'GET' ? {} : { 'content-type': type }) },
          ...(operation.method === 'GET' ? {} : { body: payload }),
        })
        const answer = await response.text()
        seen.set(`${operation.method} ${operation.path} ${response.status}`, 1)
        expect(response.status, `${operation.method} ${path}?${search.toString()} ${payload.slice(0, 300)} → ${answer.slice(0, 300)}`).toBeLessThan(500)
        if (response.status >= 400 && !path.startsWith('/graphql')) expect(response.headers.get('content-type')).toMatch(/application\/problem\+json/)
        expect(answer).not.toMatch(/node_modules|\.ts:\d+|DB::Exception/)
      }),
      { numRuns: 1500 },
    )
    // The fuzz is worth something only where it gets past the first check as well.
    for (const good of ['POST /analytics 200', 'POST /graphql 200', 'POST /ingest/{topic} 200', 'GET /timeseries/{table}/aggregate 200', 'GET /timeseries/{table} 200', 'GET /timeseries/{table}/latest 200', 'GET /metrics 200']) expect([...seen.keys()]).toContain(good)
  })

  it('but the shells and the liveness routes refuses who brings no token', async () => {
    const open = new Set(['/health', '/health/live', '/health/ready'])
    for (const { method, path } of operations.filter((operation) => !open.has(operation.path))) {
      const response = await fetch(address.url + path.replace(/\{\w+\}/g, 'rides'), { method, ...(method === 'GET' ? {} : { headers: { 'content-type': 'application/json' }, body: '{}' }) })
      expect([path, method, response.status]).toEqual([path, method, 401])
    }
  })

  it('tells the field that is wrong', async () => {
    const ask = async (path: string, payload?: unknown): Promise<unknown> => {
      const response = await fetch(address.url + path, { method: payload === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${address.token}`, 'content-type': 'application/json' }, ...(payload === undefined ? {} : { body: JSON.stringify(payload) }) })
      return { status: response.status, ...((await response.json()) as object) }
    }
    expect(await ask('/analytics', {})).toMatchObject({ status: 400, issues: [{ path: ['body', 'query'] }] })
    expect(await ask('/analytics', { query: 'SELECT 1', nope: 1 })).toMatchObject({ status: 400 })
    expect(await ask('/timeseries/rides?start=yesterday')).toMatchObject({ status: 400, issues: expect.arrayContaining([expect.objectContaining({ path: expect.arrayContaining(['start']) as unknown })]) as unknown })
    expect(await ask('/timeseries/rides/aggregate?start=-1d&end=now&interval=never&metrics=count')).toMatchObject({ status: 400, issues: expect.arrayContaining([expect.objectContaining({ path: expect.arrayContaining(['interval']) as unknown })]) as unknown })
    expect(await ask('/ingest/rides', [{ id: 'x' }])).toMatchObject({ status: 400, issues: [{ path: ['body', 0, 'id'] }] })
    expect(await ask('/ingest/nope', [])).toMatchObject({ status: 404 })
    expect(await ask('/timeseries/pg_class')).toMatchObject({ status: 404 })
  })
})
