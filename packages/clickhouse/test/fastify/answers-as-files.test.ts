import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { analyticsRoutes } from '../../src/fastify/index.ts'
import { type AnalyticsService, createAnalyticsService } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let service: AnalyticsService
let app: FastifyInstance
let port: number

beforeAll(async () => {
  database = await ownDatabase()
  service = createAnalyticsService(database.reader, { cache: false })
  app = Fastify()
  await app.register(analyticsRoutes, { analyticsService: service })
  await app.listen({ host: '127.0.0.1', port: 0 })
  port = (app.server.address() as AddressInfo).port
})
afterAll(async () => {
  await app.close()
  await service.close()
  await database.drop()
})

const ask = (accept: string, payload: object) => app.inject({ method: 'POST', url: '/analytics', payload, headers: { accept } })

/** As a caller over the network: what `inject` can't show is how an answer ends that breaks half-way. */
async function call(accept: string, query: string): Promise<IncomingMessage> {
  const request = httpRequest({ host: '127.0.0.1', port, path: '/analytics', method: 'POST', headers: { accept, 'content-type': 'application/json' } })
  request.end(JSON.stringify({ query }))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

const TWO_ROWS = { query: "SELECT toUInt64(9007199254740993) - number AS id, concat('a,', toString(number)) AS name FROM numbers(:rows)", params: { rows: 2 } }

describe('an answer that is asked for as a file', () => {
  it.each([
    ['text/csv', 'text/csv; charset=utf-8; header=present', 'csv', '"id","name"\n9007199254740993,"a,0"\n9007199254740992,"a,1"\n'],
    ['application/x-ndjson', 'application/x-ndjson', 'jsonl', '{"id":"9007199254740993","name":"a,0"}\n{"id":"9007199254740992","name":"a,1"}\n'],
  ])('comes as %s', async (accept, contentType, extension, text) => {
    const answer = await ask(accept, TWO_ROWS)

    expect(answer.statusCode).toBe(200)
    expect(answer.headers).toMatchObject({ 'content-type': contentType, 'content-disposition': `attachment; filename="answer.${extension}"`, 'cache-control': 'no-store', vary: 'accept' })
    expect(answer.body).toBe(text)
  })

  it('comes as Parquet', async () => {
    const { rawPayload } = await ask('application/vnd.apache.parquet, application/json;q=0.1', TWO_ROWS)

    expect([rawPayload.subarray(0, 4), rawPayload.subarray(-4)].map(String)).toEqual(['PAR1', 'PAR1'])
  })

  it.each([['application/json'], ['*/*'], ['text/csv;q=0.2, application/json']])('stays JSON for %s', async (accept) => {
    expect((await ask(accept, TWO_ROWS)).json()).toMatchObject({ data: [{ id: '9007199254740993', name: 'a,0' }, { name: 'a,1' }] })
  })

  it('is a problem, and no file, when the query fails at once', async () => {
    const answer = await ask('text/csv', { query: 'SELECT nothing FROM nowhere' })

    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.statusCode).toBeGreaterThanOrEqual(400)
    expect(answer.headers['content-disposition']).toBeUndefined()
  })

  it('breaks off when the query fails half-way: nobody takes a part for the whole', async () => {
    const response = await call('text/csv', 'SELECT number, throwIf(number = 3000000) AS x FROM numbers(10000000)')
    response.resume()

    const end = await Promise.race([once(response, 'end').then(() => 'whole'), once(response, 'error').then(() => 'broken off'), once(response, 'aborted').then(() => 'broken off')])

    expect([response.statusCode, end]).toEqual([200, 'broken off'])
  })

  it('ends on the server when its caller leaves', async () => {
    const marker = `leaves ${Date.now()}`
    const response = await call('application/x-ndjson', `SELECT number, '${marker}' AS x FROM numbers(100000000000)`)
    await once(response, 'data')
    response.destroy()

    const running = async () => (await database.owner.execute<{ n: bigint }>('SELECT count() AS n FROM system.processes WHERE query LIKE :marker AND query NOT LIKE :own', { marker: `%${marker}%`, own: '%system.processes%' })).rows[0]?.n
    await expect.poll(running).toBe(0n)
  })
})
