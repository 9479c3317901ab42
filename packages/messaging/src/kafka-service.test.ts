import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { createRetry } from '@smart-whale/core-resilience'
import { type Encryptor, InfrastructureError, OperationError, type Policy, type ReceivedMessage, ValidationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { until } from '../test/contract/subject.ts'
import { DATA_REQUESTS_TOPIC } from './constants.ts'
import { DEAD_LETTER_HEADERS } from './dead-letter.ts'
import { PartialSendError } from './errors.ts'
import { KafkaService } from './kafka-service.ts'
import { createMemoryTransport, type MemoryTransport } from './memory/index.ts'
import { createDataRequest, createDataResponse } from './schemas/create-data-message.ts'
import { DataRequest } from './schemas/data-message.ts'
import type { KafkaServiceOptions } from './service-options.ts'
import type { MessagingTransport } from './transport.ts'

const quick = createRetry({
  maxAttempts: 3,
  baseDelayMs: 1,
  budget: false,
  isRetryable: (error) => !InfrastructureError.isInstance(error) || error.retryable,
})

interface Bench {
  readonly service: KafkaService
  readonly transport: MemoryTransport
  readonly received: ReceivedMessage[]
  /** Subscribes with a handler that keeps what it gets. */
  collect(topic: string): Promise<void>
}

async function withService(options: KafkaServiceOptions, run: (bench: Bench) => Promise<void>): Promise<void> {
  const transport = createMemoryTransport()
  const service = new KafkaService(transport, { retry: quick, ...options })
  const received: ReceivedMessage[] = []
  await service.connect()
  await service.createTopic('t', 1)
  try {
    await run({ service, transport, received, collect: async (topic) => void (await service.subscribe(topic, 'g', (message) => void received.push(message))) })
  } finally {
    await service.disconnect()
  }
}

async function lettersOf(transport: MessagingTransport, topic = 't.dlq') {
  await until(`there is ${topic}`, async () => (await transport.topics.describe(topic)) !== null)
  const reader = await transport.openPartition(topic, 0)
  const batch = await reader.read({ maxBytes: 1e6, maxRecords: 100, maxWaitMs: 5_000 })
  return Array.from({ length: batch.length }, (_, index) => ({
    key: batch.keyAt(index),
    value: batch.valueAt(index),
    headers: Object.fromEntries(Object.entries(batch.headersAt(index)).map(([name, bytes]) => [name, Buffer.from(bytes).toString()])),
  }))
}

/** AES-256-GCM bound to its context, as a caller's own encryptor may be. */
function aes(key = randomBytes(32)): Encryptor {
  const aad = (context: object | undefined): Buffer => Buffer.from(JSON.stringify(context))
  return {
    encrypt: async (plaintext, context) => {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad(context))
      return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    },
    decrypt: async (ciphertext, context) => {
      const bytes = Buffer.from(ciphertext)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(aad(context)).setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    },
  }
}

describe('sending', () => {
  it('gives objects, texts, bytes and null back as what they were, with key and headers', () =>
    withService({}, async ({ service, received, collect }) => {
      const messages = [{ a: 1, at: new Date(0), big: 2n ** 60n }, [1, 'x'], 'text', '{"not":"parsed"}', '', '\uFEFFmark', Uint8Array.of(0, 255), null, 5, true]
      await collect('t')

      for (const message of messages) expect(await service.sendMessage('t', message, { key: 'k', headers: { mine: 'x' } })).toBe(true)
      await until('all have come', () => received.length === messages.length)

      expect(received.map((message) => message.value)).toEqual([{ a: 1, at: '1970-01-01T00:00:00.000Z', big: '1152921504606846976' }, ...messages.slice(1)])
      expect(received[0]).toMatchObject({ topic: 't', key: 'k', headers: { mine: 'x', 'content-type': 'application/json' } })
    }))

  it.each([
    [undefined, 'undefined'],
    [() => 1, 'function'],
    ['\ud800', 'surrogate'],
    [{ deep: [Number.NaN] }, 'deep.0 is NaN'],
    [{ map: new Map() }, 'map is a Map'],
    [new Float64Array(1), 'Uint8Array'],
    [new Date(Number.NaN), 'invalid date'],
  ])('refuses %s, which would not come back as it was', (message, what) =>
    withService({}, async ({ service }) => {
      await expect(service.sendMessage('t', message)).rejects.toMatchObject({
        code: 'ERR_MESSAGING_INVALID_MESSAGE',
        message: expect.stringContaining(what) as string,
      })
    }),
  )

  it('refuses an object that holds itself', () =>
    withService({}, async ({ service }) => {
      const loop: Record<string, unknown> = {}
      loop['self'] = loop

      await expect(service.sendMessage('t', loop)).rejects.toMatchObject({ code: 'ERR_MESSAGING_INVALID_MESSAGE' })
    }))

  it('sends a batch under keys, and says true when all of it is stored', () =>
    withService({}, async ({ service, received, collect }) => {
      expect(await service.sendBatch('t', [{ id: 'a' }, { id: 'b' }], { key: (message) => (message as { id: string }).id })).toBe(true)
      await collect('t')
      await until('both have come', () => received.length === 2)

      expect(received.map((message) => message.key)).toEqual(['a', 'b'])
      await expect(service.sendBatch('t', 'no array' as unknown as [])).rejects.toMatchObject({ code: 'ERR_MESSAGING_INVALID_ARGUMENT' })
    }))

  it('says which messages of a batch are stored, and sends only those again that surely are not', async () => {
    const inner = createMemoryTransport()
    const sent: number[] = []
    const transport: MessagingTransport = Object.create(inner, {
      maxRecordBytes: { value: inner.maxRecordBytes },
      topics: { value: inner.topics },
      start: { value: () => inner.start() },
      stop: { value: () => inner.stop() },
      send: {
        value: async (topic: string, records: { value: string }[]) => {
          sent.push(records.length)
          if (records.length < 2) return inner.send(topic, records)
          const [first] = await inner.send(topic, records.slice(0, 1))
          throw new PartialSendError({ topic, stored: [first ?? null, ...records.slice(1).map(() => null)], unknown: [records.length - 1] })
        },
      },
    }) as MessagingTransport
    const once = new KafkaService(transport)
    await once.connect()
    await once.createTopic('t', 1)

    const failed = await once.sendBatch('t', ['a', 'b', 'c']).catch((error: unknown) => error)
    const retrying = new KafkaService(transport, { policy: createRetry({ baseDelayMs: 1 }), manageTransport: false })
    await retrying.connect()
    const again = await retrying.sendBatch('t', ['d', 'e', 'f']).catch((error: unknown) => error)

    expect(failed).toMatchObject({ code: 'ERR_MESSAGING_PARTIAL_SEND', stored: [{ partition: 0, offset: 0n }, null, null], unknown: [2] })
    expect(again).toMatchObject({ code: 'ERR_MESSAGING_PARTIAL_SEND', stored: [{ offset: 1n }, { offset: 2n }, null], unknown: [2], retryable: false })
    expect(sent).toEqual([3, 3, 1])
    const reader = await inner.openPartition('t', 0)
    const batch = await reader.read({ maxBytes: 1e6, maxRecords: 100, maxWaitMs: 0 })
    expect([0, 1, 2].map((index) => Buffer.from(batch.valueAt(index) ?? []).toString())).toEqual(['a', 'd', 'e'])
    expect(batch.length).toBe(3)
    await once.disconnect()
  })

  it('does nothing that its policy refuses', () => {
    const refusal = new OperationError('not allowed', { status: 403 })
    const policy: Policy = { execute: () => Promise.reject(refusal) }
    return withService({ policy }, async ({ service, transport }) => {
      await expect(service.sendMessage('t', 'x')).rejects.toBe(refusal)
      await expect(service.subscribe('t', 'g', () => {})).rejects.toBe(refusal)
      expect((await (await transport.openPartition('t', 0)).bounds()).latest).toBe(0n)
    })
  })

  it('sends requests to the data service and answers to the model that asked', () =>
    withService({}, async ({ service, received, collect }) => {
      const request = createDataRequest({ operation: 'fetch_data', modelId: 'm1', dataType: 'text' })
      const response = createDataResponse({ requestId: request.metadata.requestId, modelId: 'm1', data: 5 })
      await service.createTopic(DATA_REQUESTS_TOPIC, 1)
      await service.createTopic('smartwhale.data.responses.m1', 1)
      await collect(DATA_REQUESTS_TOPIC)
      await collect('smartwhale.data.responses.m1')

      await service.sendDataRequest(request)
      await service.sendDataResponse(response)
      await until('both have come', () => received.length === 2)

      const asked = received.find((message) => message.topic === DATA_REQUESTS_TOPIC)
      expect(DataRequest.fromDict(asked?.value)).toEqual(request)
      expect(received.find((message) => message !== asked)?.value).toEqual(response.toDict())
    }))
})

describe('a message that can not be handled', () => {
  it('is tried again, then goes to the dead letters byte for byte with reason and origin, and the next is handled', () =>
    withService({}, async ({ service, transport }) => {
      const handled: unknown[] = []
      let attempts = 0
      await transport.send('t', [{ key: 'k', value: ' { "id" : "bad" } ', headers: { 'content-type': 'application/json', mine: 'ä' }, timestamp: 1234 }])
      await service.sendMessage('t', { id: 'good' })
      await service.subscribe('t', 'g', ({ value }) => {
        if ((value as { id: string }).id === 'good') return void handled.push(value)
        attempts++
        throw new TypeError('boom')
      })
      await until('the good one is handled', () => handled.length === 1)

      expect(attempts).toBe(3)
      const [letter] = await lettersOf(transport)
      expect(String(letter?.key)).toBe('k')
      expect(String(letter?.value)).toBe(' { "id" : "bad" } ')
      expect(letter?.headers).toEqual({
        'content-type': 'application/json',
        mine: 'ä',
        [DEAD_LETTER_HEADERS.reasonCode]: 'ERR_MESSAGING_HANDLER_FAILED',
        [DEAD_LETTER_HEADERS.reason]: 'TypeError: boom',
        [DEAD_LETTER_HEADERS.topic]: 't',
        [DEAD_LETTER_HEADERS.partition]: '0',
        [DEAD_LETTER_HEADERS.offset]: '0',
        [DEAD_LETTER_HEADERS.timestamp]: '1234',
        [DEAD_LETTER_HEADERS.group]: 'g',
      })
    }))

  it('is not tried again when its failure says that this is of no use', () =>
    withService({}, async ({ service, transport }) => {
      let attempts = 0
      await service.sendMessage('t', null)
      await service.subscribe('t', 'g', () => {
        attempts++
        throw new ValidationError('wrong for ever')
      })

      const [letter] = await lettersOf(transport)
      expect(attempts).toBe(1)
      expect(letter?.value).toBeNull()
      expect(letter?.headers[DEAD_LETTER_HEADERS.reasonCode]).toBe('ERR_VALIDATION')
    }))

  it('never meets the handler when its bytes are not what they are said to be', () =>
    withService({}, async ({ transport, received, collect }) => {
      const broken = Buffer.from([0x7b, 0xff, 0xfe])
      await transport.send('t', [
        { value: broken, headers: { 'content-type': 'application/json' } },
        { value: '{"half":', headers: { 'content-type': 'application/vnd.x+json; charset=utf-8' } },
        { value: broken, headers: { 'content-type': 'text/plain' } },
        { value: broken },
      ])
      await collect('t')
      await until('the readable one has come', () => received.length === 1)

      expect(received[0]?.value).toEqual(Uint8Array.from(broken))
      const letters = await lettersOf(transport)
      expect(letters.map((letter) => letter.headers[DEAD_LETTER_HEADERS.reasonCode])).toEqual(Array(3).fill('ERR_MESSAGING_UNDECODABLE'))
      expect(Buffer.from(letters[0]?.value ?? [])).toEqual(broken)
    }))

  it('holds its partition up until the dead letters can be written', () =>
    withService({}, async ({ service, transport }) => {
      const handled: unknown[] = []
      let failing = true
      const send = transport.send.bind(transport)
      transport.send = (topic, records, options) => {
        if (!failing || topic !== 't.dlq') return send(topic, records, options)
        return Promise.reject(new OperationError('the broker is away', { retryable: true }))
      }
      await service.sendBatch('t', ['bad', 'good'])
      await service.subscribe('t', 'g', ({ value }) => {
        if (value === 'bad') throw new ValidationError('no')
        handled.push(value)
      })
      await until('the dead letters were tried', async () => (await transport.topics.describe('t.dlq')) !== null)
      for (let i = 0; i < 20; i++) await turn()

      expect(handled).toEqual([])
      failing = false
      await until('the good one is handled', () => handled.length === 1)
      expect(await lettersOf(transport)).toHaveLength(1)
    }))
})

describe('encryption', () => {
  it('shows the broker no plain text, and the handler nothing else', () =>
    withService({ encryptor: aes() }, async ({ service, transport, received, collect }) => {
      await collect('t')
      for (const message of [{ secret: 'whale' }, 'whale', Buffer.from('whale')]) await service.sendMessage('t', message)
      await until('all have come', () => received.length === 3)

      expect(received.map((message) => message.value)).toEqual([{ secret: 'whale' }, 'whale', Uint8Array.from(Buffer.from('whale'))])
      const batch = await (await transport.openPartition('t', 0)).read({ maxBytes: 1e6, maxRecords: 10, maxWaitMs: 0 })
      for (let i = 0; i < 3; i++) expect(Buffer.from(batch.valueAt(i) ?? []).includes('whale')).toBe(false)
    }))

  it('sends to the dead letters what was altered, moved from another topic, or not encrypted at all', () =>
    withService({ encryptor: aes() }, async ({ service, transport, received, collect }) => {
      await service.createTopic('other', 1)
      await service.sendMessage('other', 'moved')
      const other = await (await transport.openPartition('other', 0)).read({ maxBytes: 1e6, maxRecords: 10, maxWaitMs: 0 })
      const headers = other.headersAt(0)
      const value = Buffer.from(other.valueAt(0) ?? [])
      const altered = Buffer.from(value)
      altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1
      await transport.send('t', [{ value, headers }, { value: altered, headers }, { value: 'plain', headers: { 'content-type': 'text/plain' } }])
      await service.sendMessage('t', 'fine')
      await collect('t')
      await until('the good one has come', () => received.length === 1)

      expect(received[0]?.value).toBe('fine')
      expect(await lettersOf(transport)).toHaveLength(3)
    }))

  it('leaves messages where they are when nobody was given who can read them', () =>
    withService({}, async ({ transport, received, collect }) => {
      const sender = new KafkaService(transport, { encryptor: aes(), manageTransport: false })
      await sender.connect()
      await sender.sendMessage('t', 'x')
      await collect('t')
      await until('the group reads', async () => (await transport.groupLag('g', 't')).length === 1)
      for (let i = 0; i < 20; i++) await turn()

      expect(received).toEqual([])
      expect(await transport.topics.describe('t.dlq')).toBeNull()
      expect((await transport.groupLag('g', 't'))[0]?.committed).toBeNull()
    }))
})

describe('subscriptions and topics', () => {
  it('finish what is being handled and commit it, but begin nothing new', () =>
    withService({}, async ({ service, transport }) => {
      const begun: unknown[] = []
      const finish = Promise.withResolvers<void>()
      await service.sendBatch('t', ['a', 'b', 'c'])
      await service.subscribe('t', 'g', async ({ value }) => {
        begun.push(value)
        await finish.promise
      })
      await until('the first is being handled', () => begun.length === 1)

      const leaving = service.unsubscribe('t', 'g')
      await turn()
      finish.resolve()
      expect(await leaving).toBe(true)

      expect(begun).toEqual(['a'])
      expect((await transport.groupLag('g', 't'))[0]?.committed).toBe(1n)
    }))

  it('leave a message whose handler failed while they ended to the next member', () =>
    withService({}, async ({ service, transport, received, collect }) => {
      const begun = Promise.withResolvers<void>()
      const fail = Promise.withResolvers<never>()
      await service.sendMessage('t', 'again')
      await service.subscribe('t', 'g', () => (begun.resolve(), fail.promise))
      await begun.promise

      const leaving = service.unsubscribe('t', 'g')
      await turn()
      fail.reject(new ValidationError('interrupted'))
      await leaving
      await collect('t')
      await until('it has come again', () => received.length === 1)

      expect(await transport.topics.describe('t.dlq')).toBeNull()
    }))

  it('wait for what is being sent before they disconnect', async () => {
    const transport = createMemoryTransport()
    const service = new KafkaService(transport)
    await service.connect()
    await service.createTopic('t', 1)
    const gate = Promise.withResolvers<void>()
    const send = transport.send.bind(transport)
    transport.send = (topic, records, options) => gate.promise.then(() => send(topic, records, options))

    const sending = service.sendMessage('t', 'last')
    const leaving = service.disconnect()
    await turn()
    gate.resolve()

    expect(await sending).toBe(true)
    await leaving
  })

  it('tell a handler that takes too long to stop', () =>
    withService({ drainTimeoutMs: 20 }, async ({ service }) => {
      const begun = Promise.withResolvers<void>()
      let stopped = false
      await service.sendMessage('t', 'slow')
      await service.subscribe('t', 'g', async (_message, { signal }) => {
        begun.resolve()
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        stopped = true
      })
      await begun.promise

      await service.disconnect()

      expect(stopped).toBe(true)
    }))

  it('come back when their membership is lost', () =>
    withService({}, async ({ service, transport, received, collect }) => {
      const join = transport.join.bind(transport)
      let joins = 0
      transport.join = (options) => join({ ...options, onPartition: joins++ === 0 ? () => Promise.reject(new Error('lost')) : options.onPartition })
      await collect('t')
      await service.sendMessage('t', 'after all')

      await until('it has come', () => received.length === 1)
      expect(joins).toBe(2)
    }))

  it('go on behind records that were removed before they were handled', () =>
    withService({}, async ({ service, transport, received, collect }) => {
      await transport.topics.create('ring', { partitions: 1, configs: { 'retention.bytes': '10000' } })
      for (let i = 0; i < 100; i++) await service.sendMessage('ring', `${i}`.padEnd(500, '.'))
      await transport.join({ groupId: 'g', topics: ['ring'], onPartition: (reader) => reader.commit(0n) })
      await until('an old offset is committed', async () => (await transport.groupLag('g', 'ring'))[0]?.committed === 0n)

      transport.crash()
      await transport.start()
      await collect('ring')
      await until('the last has come', () => String(received.at(-1)?.value).startsWith('99.'))

      expect(received.length).toBeLessThan(40)
    }))

  it('are one for a topic and group', () =>
    withService({}, async ({ service, collect }) => {
      await collect('t')

      await expect(collect('t')).rejects.toMatchObject({ code: 'ERR_MESSAGING_ALREADY_SUBSCRIBED' })
      expect(await service.unsubscribe('t', 'g')).toBe(true)
      expect(await service.unsubscribe('t', 'g')).toBe(true)
      await collect('t')
    }))

  it('exist, are made, described and deleted, with a clear answer each', () =>
    withService({}, async ({ service }) => {
      expect(await service.createTopic('made')).toBe(true)
      expect(await service.createTopic('made', 9)).toBe(true)
      expect(await service.getTopicInfo('made')).toMatchObject({ name: 'made', partitions: 5, replication: 1, configs: {} })
      expect(await service.getTopicInfo('absent')).toBeNull()
      expect([await service.topicExists('made'), await service.topicExists('absent')]).toEqual([true, false])
      expect(await service.listTopics()).toEqual(['made', 't'])
      expect(await service.deleteTopic('made')).toBe(true)
      await expect(service.deleteTopic('made')).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_NOT_FOUND' })
      await expect(service.createTopic('no name')).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_NAME' })
    }))

  it('need a connection, which may be opened and closed twice', async () => {
    const service = new KafkaService(createMemoryTransport())

    await expect(service.sendMessage('t', 'x')).rejects.toMatchObject({ code: 'ERR_MESSAGING_NOT_CONNECTED' })
    await expect(service.subscribe('t', 'g', () => {})).rejects.toMatchObject({ code: 'ERR_MESSAGING_NOT_CONNECTED' })
    expect([await service.connect(), await service.connect()]).toEqual([true, true])
    expect([await service.disconnect(), await service.disconnect()]).toEqual([true, true])
    await expect(service.listTopics()).rejects.toMatchObject({ code: 'ERR_MESSAGING_NOT_CONNECTED' })
  })
})
