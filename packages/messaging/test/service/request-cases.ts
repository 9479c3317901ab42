import assert from 'node:assert/strict'
import { ValidationError } from '@smart-whale/interfaces'
import { DATA_RESPONSES_PREFIX } from '../../src/constants.ts'
import { createDataRequest, createDataResponse } from '../../src/schemas/create-data-message.ts'
import type { DataRequest, DataResponse } from '../../src/schemas/data-message.ts'
import { rejectsWith, until } from '../contract/subject.ts'
import { readableMetrics, type ServiceCase } from './service-subject.ts'

const ask = (modelId: string, parameters: Record<string, unknown> = {}): DataRequest => createDataRequest({ operation: 'fetch_data', modelId, dataType: 'text', parameters })

const answerTo = ({ metadata, payload }: DataRequest, data: unknown): DataResponse =>
  createDataResponse({ requestId: metadata.requestId, modelId: payload.modelId, data: data as string })

/** Asking and answering. */
export const requestCases: readonly ServiceCase[] = [
  {
    name: 'gives each of many requests its own answer, and leaves no group behind',
    run: async (bench) => {
      const topic = await bench.topic(2)
      const [client, server] = [await bench.service(), await bench.service()]
      const model = bench.model()
      await server.serveDataRequests('servers', (request) => answerTo(request, Number(request.payload.parameters['n']) * 2), { topic, concurrency: 8 })

      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => client.request(ask(model, { n }), { topic, timeout: 60_000 })))

      assert.deepEqual(answers.map(({ payload }) => payload.data), Array.from({ length: 50 }, (_, n) => n * 2))
      const lag = await server.getConsumerLag(topic, 'servers')
      assert.equal(lag.partitions.length, 2)
      const responses = await server.getConsumerLag(`${DATA_RESPONSES_PREFIX}.${model}`, 'servers')
      assert.ok(responses.partitions.every(({ committed }) => committed === null))
    },
  },
  {
    name: 'gives answers to the process that asked, when several ask under one model',
    run: async (bench) => {
      const topic = await bench.topic()
      const [first, second, server] = [await bench.service(), await bench.service(), await bench.service()]
      const model = bench.model()
      await server.serveDataRequests('servers', (request) => answerTo(request, request.payload.parameters['from']), { topic })

      const answers = await Promise.all([first, second, first, second].map((client, index) => client.request(ask(model, { from: index }), { topic, timeout: 60_000 })))

      assert.deepEqual(answers.map(({ payload }) => payload.data), [0, 1, 2, 3])
    },
  },
  {
    name: 'is answered again after the topic of the answers was deleted',
    run: async (bench) => {
      const topic = await bench.topic()
      const [client, server] = [await bench.service(), await bench.service()]
      const model = bench.model()
      await server.serveDataRequests('servers', (request) => answerTo(request, 'here'), { topic })
      const isAnswered = async (): Promise<boolean> => (await client.request(ask(model), { topic, timeout: 3_000 }).catch(() => null))?.payload.data === 'here'
      await until('it is answered', isAnswered)

      await server.deleteTopic(`${DATA_RESPONSES_PREFIX}.${model}`)

      await until('it is answered again', isAnswered)
    },
  },
  {
    name: 'ends a request at its deadline, and counts and drops the answer that comes later',
    run: async (bench) => {
      const topic = await bench.topic()
      const metrics = readableMetrics()
      const [client, server] = [await bench.service({ metrics: metrics.sink }), await bench.service()]
      const held = Promise.withResolvers<void>()
      const model = bench.model()
      await server.serveDataRequests('servers', async (request) => {
        if (request.payload.parameters['isHeld'] === true) await held.promise
        return answerTo(request, 'here')
      }, { topic })
      // What the first one has to prepare is no part of the next one's time.
      await client.request(ask(model), { topic, timeout: 60_000 })

      const begunAt = performance.now()
      await rejectsWith('ERR_MESSAGING_TIMEOUT', client.request(ask(model, { isHeld: true }), { topic, timeout: 1_500 }))
      assert.ok(performance.now() - begunAt < 15_000)
      held.resolve()

      await until('the late answer is counted', () => metrics.value('smart_whale_responses_dropped_total', { reason: 'late' }) === 1)
    },
  },
  {
    name: 'says what went wrong in the answer, and nothing of what is not for everybody',
    run: async (bench) => {
      const topic = await bench.topic()
      const [client, server] = [await bench.service(), await bench.service()]
      const model = bench.model()
      await server.serveDataRequests('servers', ({ payload }) => {
        if (payload.parameters['wrong'] === true) throw new ValidationError('the query has no verb')
        throw new Error('password=1234')
      }, { topic })

      const refused = await client.request(ask(model, { wrong: true }), { topic, timeout: 60_000 })
      const failed = await client.request(ask(model), { topic, timeout: 60_000 })

      assert.deepEqual([refused.payload.status, refused.payload.errorCode, refused.payload.errorMessage], ['error', 'invalid_request', 'the query has no verb'])
      assert.deepEqual([failed.payload.status, failed.payload.errorCode], ['error', 'unknown_error'])
      assert.ok(!JSON.stringify(failed).includes('1234'))
    },
  },
  {
    name: 'waits on while the answer is pending, ends when the caller gives up, and refuses the same id twice',
    run: async (bench) => {
      const topic = await bench.topic()
      const [client, server] = [await bench.service(), await bench.service()]
      const request = ask(bench.model())
      await server.subscribe(topic, 'servers', async () => {
        const pending = createDataResponse({ requestId: request.metadata.requestId, modelId: request.payload.modelId, status: 'pending', data: null })
        await server.sendDataResponse(pending)
      })
      const caller = new AbortController()
      const seen: string[] = []

      const waiting = client.request(request, { topic, timeout: 60_000, signal: caller.signal, onPending: ({ payload }) => seen.push(payload.status) })
      await rejectsWith('ERR_MESSAGING_DUPLICATE_REQUEST', client.request(request, { topic }))
      await until('it is pending', () => seen.length === 1)
      caller.abort()

      await rejectsWith('ERR_ABORTED', waiting)
      assert.deepEqual(seen, ['pending'])
    },
  },
  {
    name: 'bounds the requests that wait, and ends them when the service disconnects',
    run: async (bench) => {
      const topic = await bench.topic()
      const client = await bench.service({ maxRequests: 2, drainTimeoutMs: 50 })
      const model = bench.model()
      const waiting = [1, 2].map(() => client.request(ask(model), { topic, timeout: 60_000 }))
      const ended = waiting.map((request) => rejectsWith('ERR_MESSAGING_NOT_CONNECTED', request))

      await rejectsWith('ERR_MESSAGING_TOO_MANY_REQUESTS', client.request(ask(model), { topic }))
      await client.disconnect()

      await Promise.all(ended)
    },
  },
  {
    name: 'sends no answer to a topic that is none for answers',
    run: async (bench) => {
      const topic = await bench.topic()
      const elsewhere = await bench.topic()
      const [client, server] = [await bench.client(), await bench.service()]
      await server.serveDataRequests('servers', (request) => answerTo(request, 1), { topic })

      await server.sendDataRequest(createDataRequest({ operation: 'fetch_data', modelId: 'm', dataType: 'text', responseTopic: elsewhere }), topic)
      await until('the request is a dead letter', async () => (await client.topics.describe(`${topic}.dlq`)) !== null)

      const reader = await client.openPartition(elsewhere, 0)
      assert.equal((await reader.bounds()).latest, 0n)
      await reader.close()
    },
  },
]
