import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEvent } from '@smart-whale/interfaces'
import { deadLetterRecord, deadLetterTopic } from '../dead-letter.ts'
import { createMemoryTransport } from '../memory/index.ts'
import type { MessagingTransport } from '../transport.ts'
import { deadLetterRoutes } from './dead-letter-routes.ts'

let transport: MessagingTransport
let app: FastifyInstance
const audited: AuditEvent[] = []
const permissions: string[] = []

beforeEach(async () => {
  transport = createMemoryTransport()
  await transport.start()
  await transport.topics.create('rides', { partitions: 1 })
  await transport.topics.create(deadLetterTopic('rides'), { partitions: 1 })
  const letter = (offset: bigint, code: string) => deadLetterRecord({ topic: 'rides', partition: 0, offset, key: null, value: Buffer.from(`{"id":${offset}}`), headers: {}, timestamp: 5 }, { code, message: 'field "at" is missing' })
  await transport.send(deadLetterTopic('rides'), [letter(3n, 'invalid'), letter(4n, 'invalid'), letter(9n, 'undecodable')])
  app = Fastify()
  audited.length = 0
  permissions.length = 0
  const guard = (permission: string) => async () => void permissions.push(permission)
  await app.register(deadLetterRoutes, { transport, topics: ['rides', 'empty'], guard, actorOf: () => 'ada', audit: { record: async (event) => void audited.push(event) } })
})

afterEach(async () => {
  await app.close()
  await transport.stop()
})

const ask = async (method: 'GET' | 'POST', url: string, payload?: object) => {
  const response = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) })
  return { status: response.statusCode, body: response.json() as Record<string, unknown> }
}

describe('deadLetterRoutes', () => {
  it('tells what letters died of', async () => {
    const { status, body } = await ask('GET', '/dead-letters/rides')

    expect(status).toBe(200)
    expect(body).toMatchObject({ topic: 'rides', letters: 3, groups: [{ code: 'invalid', count: 2, examples: [{ partition: 0, offset: '0' }, { partition: 0, offset: '1' }] }, { code: 'undecodable', count: 1 }] })
    expect(permissions).toEqual(['dead-letters:read'])
  })

  it('shows single ones', async () => {
    expect(await ask('GET', '/dead-letters/rides/letters?code=invalid&limit=1')).toMatchObject({ status: 200, body: { letters: [{ origin: { offset: '3' }, value: { text: '{"id":3}' } }] } })
    expect(await ask('GET', '/dead-letters/rides/letters?offset=2')).toMatchObject({ status: 200, body: { letters: [{ origin: { offset: '9' } }] } })
  })

  it('replays once, with a patch, and audits who did it', async () => {
    const payload = { codes: ['invalid'], patch: { set: { at: 1 } } }

    expect(await ask('POST', '/dead-letters/rides/replay', { ...payload, dryRun: true })).toMatchObject({ status: 200, body: { sent: 2, isDryRun: true } })
    expect(await ask('POST', '/dead-letters/rides/replay', payload)).toMatchObject({ status: 200, body: { sent: 2 } })
    expect(await ask('POST', '/dead-letters/rides/replay', payload)).toMatchObject({ status: 200, body: { sent: 0, settledBefore: 2 } })
    const reader = await transport.openPartition('rides', 0)
    expect((await reader.bounds()).latest).toBe(2n)
    expect(audited[0]).toMatchObject({ actor: 'ada', action: 'dead-letters.replay', resource: 'rides', details: { sent: 2 } })
    expect(permissions).toEqual(['dead-letters:replay', 'dead-letters:replay', 'dead-letters:replay'])
  })

  it('drops what is not to be sent again', async () => {
    expect(await ask('POST', '/dead-letters/rides/drop', { positions: [{ partition: 0, offset: '1' }] })).toEqual({ status: 200, body: { topic: 'rides', dropped: 1 } })
    expect(await ask('POST', '/dead-letters/rides/replay', {})).toMatchObject({ body: { sent: 2, settledBefore: 1 } })
  })

  it.each([
    ['GET', '/dead-letters/other', undefined, 404],
    ['GET', '/dead-letters/empty', undefined, 404],
    ['GET', '/dead-letters/rides/letters?limit=0', undefined, 400],
    ['POST', '/dead-letters/rides/replay', { patch: { sets: {} } }, 400],
    ['POST', '/dead-letters/rides/replay', { positions: [{ partition: 0, offset: '-1' }] }, 400],
    ['POST', '/dead-letters/rides/drop', {}, 400],
    ['POST', '/dead-letters/rides/drop', { code: ['nope'] }, 400],
    ['POST', '/dead-letters/rides/replay', { dryrun: true }, 400],
    ['GET', '/dead-letters/rides/letters?codes=invalid', undefined, 400],
  ] as const)('%s %s with %j is refused', async (method, url, payload, status) => {
    expect((await ask(method, url, payload)).status).toBe(status)
  })
})
