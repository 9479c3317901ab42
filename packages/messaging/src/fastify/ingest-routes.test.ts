import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryTransport } from '../memory/index.ts'
import { definePipelines } from '../pipeline/define-pipelines.ts'
import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { PartialSendError } from '../errors.ts'
import { decodeFreshnessToken } from '../pipeline/freshness/freshness-token.ts'
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

  it('answers a token of where the events lie', async () => {
    const { body } = await post(`[${event},{"id":"2","time":1767225600000,"fare":"3"}]`)
    const target = decodeFreshnessToken((body as { token: string }).token)

    expect(target).toMatchObject({ pipeline: 'rides', topic: 'rides', topicId: (await transport.topics.describe('rides'))?.id })
    expect([...target.offsets.values()].every((offset) => offset === 0n)).toBe(true)
  })

  it.each<[string, () => Error, object]>([
    ['nobody knows', () => new ConnectionError('away'), { status: 503, outcome: 'unknown', detail: expect.stringMatching(/may store them twice/) as string }],
    ['none is stored', () => new ConnectionError('stopped', { code: 'ERR_MESSAGING_NOT_CONNECTED' }), { status: 503, outcome: 'none', detail: expect.stringMatching(/None of this request is stored/) as string }],
    ['some are', () => new PartialSendError({ topic: 'rides', stored: [{ partition: 0, offset: 5n }, null, null], unknown: [2] }), { status: 503, outcome: 'partial', stored: 1, missing: [1], unknown: [2] }],
    ['none of several is', () => new PartialSendError({ topic: 'rides', stored: [null, null, null] }), { status: 503, outcome: 'none', stored: 0, missing: [0, 1, 2], unknown: [] }],
  ])('says plainly when %s', async (_name, failure, expected) => {
    await app.close()
    app = await serve({ transport: { topics: transport.topics, send: () => Promise.reject(failure()) } as unknown as MessagingTransport })

    const answer = await post(`[${event},${event},${event}]`)
    expect(answer).toMatchObject({ statusCode: 503, headers: { 'content-type': 'application/problem+json; charset=utf-8' }, body: expected })
    // Whoever comes again by himself sends all of it.
    expect(answer.headers['retry-after']).toBe((answer.body as { outcome: string }).outcome === 'none' ? '1' : undefined)
  })

  describe('where the pipeline tells versions by a header', () => {
    const versioned = definePipelines([
      {
        topic: 'rides',
        versions: { 1: { fields: { id: 'int64', time: 'timestamp' } }, 2: { fields: { id: 'int64', time: 'timestamp', fare: 'decimal(8,2)?' } } },
        versionFrom: { header: 'Schema-Version' },
        time: 'time',
      },
    ])
    const send = (headers: Record<string, string>) => app.inject({ method: 'POST', url: '/ingest/rides', payload: '{"id":1,"time":"2026-01-01T00:00:00Z"}', headers: { 'content-type': 'application/json', ...headers } })
    beforeEach(async () => {
      await app.close()
      app = await serve({ definitions: versioned })
    })

    it('takes it from the request, and gives it to each record', async () => {
      expect((await send({ 'schema-version': '1' })).statusCode).toBe(200)

      const readers = await Promise.all([0, 1, 2].map((partition) => transport.openPartition('rides', partition)))
      const batches = await Promise.all(readers.map((reader) => reader.read({ maxBytes: 1e6, maxRecords: 10, maxWaitMs: 0 })))
      const found = batches.find(({ length }) => length > 0)
      expect(Object.entries(found?.headersAt(0) ?? {}).map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([['Schema-Version', '1']])
    })

    it.each([[{}], [{ 'schema-version': '3' }]])('refuses events without one that it knows: %j', async (headers) => {
      expect(await send(headers)).toMatchObject({ statusCode: 400 })
      expect(await stored()).toEqual([])
    })

    it('is part of what a key stands for', async () => {
      await send({ 'schema-version': '1', 'idempotency-key': 'k' })

      expect((await send({ 'schema-version': '2', 'idempotency-key': 'k' })).statusCode).toBe(422)
    })
  })

  it('takes nothing while it is not ready', async () => {
    await app.close()
    app = await serve({ isReady: async () => false })

    expect(await post(event)).toMatchObject({ statusCode: 503, headers: { 'retry-after': '2' }, body: { code: 'ERR_MESSAGING_INGEST_NOT_READY', outcome: 'none' } })
    expect(await stored()).toEqual([])
  })

  describe('with limits', () => {
    /** A broker that takes records when it is told to. */
    function slowBroker(): { transport: MessagingTransport; sent: number; release: () => void } {
      const waiting: (() => void)[] = []
      const broker = {
        sent: 0,
        release: () => waiting.splice(0).forEach((go) => go()),
        transport: {
          topics: transport.topics,
          send: async (...call: Parameters<MessagingTransport['send']>) => {
            broker.sent++
            await new Promise<void>((resolve) => waiting.push(resolve))
            return transport.send(...call)
          },
        } as unknown as MessagingTransport,
      }
      return broker
    }

    it('tells a client that has too many requests under way to come again, and lets others in', async () => {
      const broker = slowBroker()
      await app.close()
      app = await serve({ transport: broker.transport, limits: { maxPendingPerClient: 2 }, clientOf: (request) => String(request.headers['x-client']) })
      const from = (client: string) => app.inject({ method: 'POST', url: '/ingest/rides', payload: event, headers: { 'content-type': 'application/json', 'x-client': client } })
      const first = [from('a'), from('a')]
      await expect.poll(() => broker.sent).toBe(2)

      const refused = await from('a')
      expect(refused).toMatchObject({ statusCode: 429, headers: { 'retry-after': '1' } })
      expect(refused.json()).toMatchObject({ code: 'ERR_MESSAGING_TOO_MANY_REQUESTS', outcome: 'none' })
      const other = from('b')
      await expect.poll(() => broker.sent).toBe(3)
      broker.release()
      for (const answer of await Promise.all([...first, other])) expect(answer.statusCode).toBe(200)
      const again = from('a')
      await expect.poll(() => broker.sent).toBe(4)
      broker.release()
      expect((await again).statusCode).toBe(200)
    })

    it('takes no more bytes than it has room for', async () => {
      const broker = slowBroker()
      await app.close()
      app = await serve({ transport: broker.transport, limits: { maxPendingBytes: 100 } })
      const first = post(event)
      await expect.poll(() => broker.sent).toBe(1)

      expect(await post(event)).toMatchObject({ statusCode: 503, body: { code: 'ERR_MESSAGING_INGEST_FULL' } })
      broker.release()
      expect((await first).statusCode).toBe(200)
    })

    it('holds a client to its rate, and says when to come again', async () => {
      const clock = new FakeClock()
      await app.close()
      app = await serve({ limits: { eventsPerSecond: 10 }, clock })

      expect((await post(`[${Array(30).fill(event).join()}]`)).statusCode).toBe(200)
      expect(await post(event)).toMatchObject({ statusCode: 429, headers: { 'retry-after': '3' } })
      await clock.advance(3_000)
      expect((await post(event)).statusCode).toBe(200)
    })
  })

  describe('with an Idempotency-Key', () => {
    const once = (key: string, payload = event) =>
      app.inject({ method: 'POST', url: '/ingest/rides', payload, headers: { 'content-type': 'application/json', 'idempotency-key': key } })

    it('sends once and answers the same, also to one who comes while it is under way', async () => {
      const [first, second] = await Promise.all([once('k'), once('k')])
      const third = await once('k')

      expect(await stored()).toEqual([event])
      expect([second.json(), third.json()]).toEqual([first.json(), first.json()])
      expect([first.headers['idempotency-replayed'], third.headers['idempotency-replayed']]).toEqual([undefined, 'true'])
    })

    it('refuses the key with another body, and takes another key', async () => {
      await once('k')

      expect((await once('k', `[${event}]`)).statusCode).toBe(422)
      expect((await once('l')).statusCode).toBe(200)
      expect((await once('')).statusCode).toBe(400)
      expect(await stored()).toEqual([event, event])
    })

    it('claims nothing and sends nothing again when nobody knows what became of the first request, not even when it was stored', async () => {
      let sends = 0
      const answerLost = async (...call: Parameters<MessagingTransport['send']>) => {
        sends++
        const positions = await transport.send(...call)
        throw new PartialSendError({ topic: 'rides', stored: positions.map(() => null), unknown: positions.map((_position, index) => index) })
      }
      await app.close()
      app = await serve({ transport: { topics: transport.topics, send: answerLost } as unknown as MessagingTransport })

      const [first, meanwhile] = await Promise.all([once('k'), once('k')])
      const later = await once('k')

      expect([first, meanwhile, later].map((answer) => [answer.statusCode, (answer.json() as { outcome: string }).outcome, answer.headers['idempotency-replayed'], answer.headers['retry-after']])).toEqual([
        [503, 'unknown', undefined, undefined],
        [503, 'unknown', 'true', undefined],
        [503, 'unknown', 'true', undefined],
      ])
      expect(sends).toBe(1)
      expect(await stored()).toEqual([event])
    })

    it('remembers a key while its request is under way, however many others come', async () => {
      let release = (): void => {}
      const held = new Promise<void>((resolve) => (release = resolve))
      let sends = 0
      const send = async (...call: Parameters<MessagingTransport['send']>) => {
        if (sends++ === 0) await held
        return transport.send(...call)
      }
      await app.close()
      app = await serve({ transport: { topics: transport.topics, send } as unknown as MessagingTransport, idempotency: { maxKeys: 2 } })
      const begun = (key: string) => Promise.resolve(once(key))
      const first = begun('slow')
      await expect.poll(() => sends).toBe(1)
      for (const key of ['a', 'b', 'c']) await once(key)
      const again = begun('slow')
      await once('d')
      release()

      expect([(await first).statusCode, (await again).headers['idempotency-replayed']]).toEqual([200, 'true'])
      expect(sends).toBe(5)
    })

    it('answers again that nobody knows, but forgets the key when nothing was stored', async () => {
      const failures = [new ConnectionError('stopped', { code: 'ERR_MESSAGING_NOT_CONNECTED' }), new ConnectionError('cut')]
      await app.close()
      app = await serve({ transport: { topics: transport.topics, send: (...call: Parameters<MessagingTransport['send']>) => (failures.length > 0 ? Promise.reject(failures.shift() as Error) : transport.send(...call)) } as unknown as MessagingTransport })

      expect((await once('k')).json()).toMatchObject({ outcome: 'none' })
      expect((await once('k')).json()).toMatchObject({ outcome: 'unknown' })
      expect((await once('k')).json()).toMatchObject({ outcome: 'unknown' })
      expect(await stored()).toEqual([])
      expect((await once('l')).statusCode).toBe(200)
    })

    it('forgets the oldest key when there is no room, and every key after its time', async () => {
      const clock = new FakeClock()
      await app.close()
      app = await serve({ idempotency: { maxKeys: 2, windowMs: 1000 }, clock })
      for (const key of ['a', 'b', 'c', 'a']) await once(key)
      expect(await stored()).toHaveLength(4)
      await clock.advance(1001)
      await once('a')

      expect(await stored()).toHaveLength(5)
    })
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
