import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryTransport } from '../memory/index.ts'
import { definePipelines } from '../pipeline/define-pipelines.ts'
import { ConnectionError } from '@smart-whale/interfaces'
import type { MessagingTransport } from '../transport.ts'
import { ingestRoutes, type IngestRoutesOptions } from './ingest-routes.ts'

const definitions = definePipelines([{ topic: 'rides', fields: { id: 'int64', time: 'timestamp', fare: 'decimal(8,2)' }, time: 'time', id: 'id', partitions: 3 }])

let transport: MessagingTransport
let app: FastifyInstance

beforeEach(async () => {
  transport = createMemoryTransport()
  await transport.start()
  await transport.topics.create('rides', { partitions: 3 })
  app = await serve()
})

afterEach(async () => {
  await app.close()
  await transport.stop()
})

async function serve(options: Partial<IngestRoutesOptions> = {}): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(ingestRoutes, { transport, definitions, ...options })
  return fastify
}

const post = (payload: string | Buffer, contentType = 'application/json', url = '/ingest/rides'): Promise<{ statusCode: number; body: unknown; headers: Record<string, unknown> }> =>
  app.inject({ method: 'POST', url, payload, headers: { 'content-type': contentType } }).then((response) => ({ statusCode: response.statusCode, body: response.json() as unknown, headers: response.headers }))

/** Values of all partitions as text. */
async function stored(): Promise<string[]> {
  const values: string[] = []
  for (let partition = 0; partition < 3; partition++) {
    const reader = await transport.openPartition('rides', partition)
    const batch = await reader.read({ maxBytes: 1_000_000, maxRecords: 1000, maxWaitMs: 0 })
    for (let index = 0; index < batch.length; index++) values.push(Buffer.from(batch.valueAt(index) as Uint8Array).toString())
    await reader.close()
  }
  return values.sort()
}

const event = '{"id":12345678901234567,"time":"2026-01-01T00:00:00Z","fare":1.50}'

describe('POST /ingest/{topic}', () => {
  it('hands the bytes of each event on as they came', async () => {
    const answer = await post(`[ ${event} , {"id":"2","time":1767225600000,"fare":"3"}]`)

    expect(answer).toMatchObject({ statusCode: 200, body: { topic: 'rides', accepted: 2 } })
    expect(await stored()).toEqual(['{"id":"2","time":1767225600000,"fare":"3"}', event])
  })

  it('takes one event, and events by line', async () => {
    expect(await post(event)).toMatchObject({ statusCode: 200, body: { accepted: 1 } })
    expect(await post(`${event}\n\n${event}\n`, 'application/x-ndjson')).toMatchObject({ statusCode: 200, body: { accepted: 2 } })
  })

  it('takes none of a request that has a wrong event, and names event and field', async () => {
    const answer = await post(`[${event},{"id":1,"time":"soon","fare":1},{"id":2}]`)

    expect(answer).toMatchObject({ statusCode: 400, headers: { 'content-type': expect.stringContaining('application/problem+json') as string } })
    expect(answer.body).toMatchObject({ code: 'ERR_VALIDATION', issues: [{ path: ['body', 1, 'time'] }, { path: ['body', 2, 'time'] }] })
    expect(await stored()).toEqual([])
  })

  it.each([
    ['an unknown topic', event, 'application/json', '/ingest/nope', 404],
    ['an empty body', '', 'application/json', '/ingest/rides', 400],
    ['something else', '"x"', 'application/json', '/ingest/rides', 400],
    ['half an array', '[{"id":1}', 'application/json', '/ingest/rides', 400],
    ['another type', event, 'text/csv', '/ingest/rides', 415],
  ])('refuses %s', async (_name, payload, contentType, url, statusCode) => {
    expect((await post(payload, contentType, url)).statusCode).toBe(statusCode)
  })

  it('refuses too many events and too many bytes', async () => {
    await app.close()
    app = await serve({ maxEvents: 2, maxBodyBytes: 500 })

    expect(await post(`[${event},${event},${event}]`)).toMatchObject({ statusCode: 413 })
    expect(await post(`[${Array(20).fill(event).join()}]`)).toMatchObject({ statusCode: 413 })
  })

  it('says to come again when the broker is away', async () => {
    await app.close()
    app = await serve({ transport: { ...transport, send: () => Promise.reject(new ConnectionError('away')) } as unknown as MessagingTransport })

    expect(await post(event)).toMatchObject({ statusCode: 503, headers: { 'retry-after': '1' } })
  })

  it('asks the guard for ingest:write', async () => {
    const asked: string[] = []
    await app.close()
    app = await serve({
      guard: (permission) => {
        asked.push(permission)
        return async (_request, reply) => reply.code(403).send({})
      },
    })

    expect((await post(event)).statusCode).toBe(403)
    expect(asked).toEqual(['ingest:write'])
  })
})
