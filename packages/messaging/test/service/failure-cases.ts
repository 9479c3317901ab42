import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { InfrastructureError, OperationError, ValidationError } from '@smart-whale/interfaces'
import { RETRY_HEADERS, retryTopic } from '../../src/consume/retry-topic.ts'
import { DEAD_LETTER_HEADERS } from '../../src/dead-letter.ts'
import { until } from '../contract/subject.ts'
import { aes, lettersOf, readableMetrics, type ServiceCase } from './service-subject.ts'

const range = (length: number): number[] => Array.from({ length }, (_, index) => index)

/** What becomes of messages that can't be handled. */
export const failureCases: readonly ServiceCase[] = [
  {
    name: 'lets a failed message wait in retry topics while those behind it are handled, then dead-letters it with its origin',
    run: async (bench) => {
      const topic = await bench.topic()
      const [service, client] = [await bench.service(), await bench.client()]
      const handled: string[] = []
      const attempts: number[] = []
      await service.sendMessage(topic, 'bad', { key: 'k', headers: { mine: 'x' } })
      await service.sendMessage(topic, 'good', { key: 'k' })

      await service.subscribe(topic, 'g', ({ value, topic: from, headers }) => {
        assert.equal(from, topic)
        if (value === 'good') return void handled.push('good')
        assert.equal(headers['mine'], 'x')
        attempts.push(performance.now())
        throw new Error('boom')
      }, { retryTopics: { delaysMs: [50, 400] } })
      await until('the bad one is a dead letter', async () => (await lettersOf(client, `${topic}.dlq`)).length === 1)

      assert.deepEqual(handled, ['good'])
      const [first = 0, second = 0, third = 0] = attempts
      assert.equal(attempts.length, 3)
      assert.ok(second - first >= 45 && third - second >= 395, `waits: ${second - first}, ${third - second}`)
      const [letter] = await lettersOf(client, `${topic}.dlq`)
      assert.equal(String(letter?.value), 'bad')
      assert.equal(letter?.key, 'k')
      const { mine, [DEAD_LETTER_HEADERS.topic]: from, [DEAD_LETTER_HEADERS.offset]: offset, [DEAD_LETTER_HEADERS.retries]: retries } = letter?.headers ?? {}
      assert.deepEqual([mine, from, offset, retries], ['x', topic, '0', '2'])
      assert.ok(!Object.keys(letter?.headers ?? {}).some((name) => name.startsWith('smartwhale-retry')))
    },
  },
  ...[false, true].map((deadLettersOnce): ServiceCase => ({
    name: `has each dead letter ${deadLettersOnce ? 'once' : 'at least once'} when a process dies before it has committed, with its origin${deadLettersOnce ? ', with deadLettersOnce' : ''}`,
    run: async (bench) => {
      const [topic, groupId] = [await bench.topic(), randomUUID()]
      const [first, second, client] = [await bench.service({}, { isToCrash: true }), await bench.service(), await bench.client()]
      const refuseBad = ({ value }: { value: unknown }): void => {
        if (value !== 'good') throw new ValidationError('bad', { issues: [] })
      }
      const options = { deadLettersOnce, commitIntervalMs: 600_000, breaker: false } as const
      const offsets = async (): Promise<(string | undefined)[]> => {
        if (!(await client.topics.list()).includes(`${topic}.dlq`)) return []
        return (await lettersOf(client, `${topic}.dlq`)).map(({ headers }) => headers[DEAD_LETTER_HEADERS.offset])
      }

      await first.subscribe(topic, groupId, refuseBad, options)
      await first.sendBatch(topic, ['bad', 'good'])
      await until('the letter is there', async () => (await offsets()).length === 1)
      bench.crash(first)
      await second.subscribe(topic, groupId, refuseBad, options)
      await client.send(topic, [{ value: 'bad' }])
      await until('the next letter is there', async () => (await offsets()).includes('2'))

      assert.deepEqual(await offsets(), deadLettersOnce ? ['0', '2'] : ['0', '0', '2'])
    },
  })),
  {
    name: 'refuses to put dead letters once where it can not',
    run: async (bench) => {
      const [topic, service] = [await bench.topic(), await bench.service()]

      const refused = { code: 'ERR_MESSAGING_INVALID_ARGUMENT', message: /deadLettersOnce can't be had together with/ }
      await assert.rejects(service.subscribe(topic, 'g', () => {}, { deadLettersOnce: true, concurrency: 2 }), refused)
      await assert.rejects(service.subscribe(topic, 'g', () => {}, { deadLettersOnce: true, retryTopics: { delaysMs: [5] } }), refused)
      await assert.rejects(service.subscribeLanes(topic, 'g', () => {}, { deadLettersOnce: true }), refused)
    },
  },
  {
    name: 'gives a retry to the group whose handler failed, and to no other',
    run: async (bench) => {
      const topic = await bench.topic()
      const [service, client] = [await bench.service(), await bench.client()]
      const attempts = { failing: 0, other: 0 }
      const retryTopics = { delaysMs: [10, 10] }

      await service.subscribe(topic, 'other', () => void attempts.other++, { retryTopics })
      await service.subscribe(topic, 'failing', () => {
        attempts.failing++
        throw new Error('boom')
      }, { retryTopics })
      await service.sendMessage(topic, 'x')
      await until('it is a dead letter', async () => (await lettersOf(client, `${topic}.dlq`)).length === 1)
      await until('the other group has passed the retries', async () => (await service.getConsumerLag(retryTopic(topic, 2), 'other')).total === 0n)

      assert.deepEqual(attempts, { failing: 3, other: 1 })
    },
  },
  {
    name: 'makes topics that keep dead letters for good, and retries as long as their topic and their wait',
    run: async (bench) => {
      const [service, client] = [await bench.service(), await bench.client()]
      const topic = await bench.topic(1, { 'retention.ms': '3600000', 'max.message.bytes': '2000000' })
      await service.sendMessage(topic, 'bad')

      await service.subscribe(topic, 'g', () => Promise.reject(new Error('boom')), { retryTopics: { delaysMs: [5] } })
      await until('it is a dead letter', async () => (await lettersOf(client, `${topic}.dlq`)).length === 1)

      const configsOf = async (name: string): Promise<unknown[]> => {
        const { configs = {} } = (await client.topics.describe(name)) ?? {}
        return ['retention.ms', 'retention.bytes', 'cleanup.policy', 'max.message.bytes'].map((setting) => configs[setting])
      }
      assert.deepEqual(await configsOf(`${topic}.dlq`), ['-1', '-1', 'delete', '2262144'])
      assert.deepEqual(await configsOf(retryTopic(topic, 1)), ['3600005', '-1', 'delete', '2262144'])
    },
  },
  {
    name: 'keeps encrypted messages as they are through retries and dead letters',
    run: async (bench) => {
      const topic = await bench.topic()
      const encryptor = aes()
      const [service, client] = [await bench.service({ encryptor }), await bench.client()]
      const values: unknown[] = []
      await service.sendMessage(topic, { secret: 'whale' }, { key: 'k' })

      await service.subscribe(topic, 'g', ({ value }) => {
        values.push(value)
        throw new Error('boom')
      }, { retryTopics: { delaysMs: [1] } })
      await until('it is a dead letter', async () => (await lettersOf(client, `${topic}.dlq`)).length === 1)

      assert.deepEqual(values, [{ secret: 'whale' }, { secret: 'whale' }])
      const [original, retried, dead] = await Promise.all([topic, retryTopic(topic, 1), `${topic}.dlq`].map(async (name) => (await lettersOf(client, name))[0]))
      assert.deepEqual(retried?.value, original?.value)
      assert.deepEqual(dead?.value, original?.value)
      assert.equal(retried?.headers[RETRY_HEADERS.group], 'g')
    },
  },
  {
    name: 'reads no encrypted message that was moved: to another topic, key or content type, nor through a retry topic',
    run: async (bench) => {
      const [topic, source] = [await bench.topic(), await bench.topic()]
      const service = await bench.service({ encryptor: aes() })
      const client = await bench.client()
      const handled: unknown[] = []
      await service.subscribe(topic, 'g', ({ value }) => void handled.push(value), { retryTopics: { delaysMs: [1] } })
      for (const name of [source, topic]) await service.sendMessage(name, 'mine', { key: 'k' })
      await until('the one that was sent is handled', () => handled.length === 1)
      const read = async (name: string) => {
        const reader = await client.openPartition(name, 0)
        const batch = await reader.read({ maxBytes: 1e6, maxRecords: 1, maxWaitMs: 5_000 })
        const record = { key: batch.keyAt(0), value: batch.valueAt(0), headers: batch.headersAt(0) }
        await reader.close()
        return record
      }
      const [foreign, own] = [await read(source), await read(topic)]

      await client.send(topic, [foreign, { ...own, key: 'another' }, { ...own, headers: { ...own.headers, 'content-type': 'application/json' } }])
      await client.send(retryTopic(topic, 1), [{ ...foreign, headers: { ...foreign.headers, [RETRY_HEADERS.topic]: source, [RETRY_HEADERS.group]: 'g' } }])
      await until('all four are dead letters', async () => (await lettersOf(client, `${topic}.dlq`)).length === 4)

      assert.deepEqual(handled, ['mine'])
      for (const { headers } of await lettersOf(client, `${topic}.dlq`)) assert.equal(headers[DEAD_LETTER_HEADERS.reasonCode], 'ERR_MESSAGING_UNDECODABLE')
    },
  },
  {
    name: 'halts when too many are bad, with the rest where they are, and goes on when they can be handled',
    run: async (bench) => {
      const topic = await bench.topic()
      const metrics = readableMetrics()
      const [service, client] = [await bench.service({ metrics: metrics.sink }), await bench.client()]
      const labels = { topic, group: 'g' }
      const handled = new Set<unknown>()
      let isBroken = true
      await service.sendBatch(topic, range(60))

      await service.subscribe(topic, 'g', ({ value }) => {
        if (isBroken) throw new ValidationError('everything is wrong')
        handled.add(value)
      }, { breaker: { window: 10, pauseMs: 300 } })
      await until('it halts', () => service.isHalted(topic, 'g'))
      // At once: while it is broken, each try after a pause puts another one aside.
      isBroken = false
      assert.equal(metrics.value('smart_whale_subscription_halted', labels), 1)
      assert.equal((await lettersOf(client, `${topic}.dlq`)).length, 9)
      await until('everything is dealt with', async () => (await service.getConsumerLag(topic, 'g')).total === 0n)

      assert.equal(service.isHalted(topic, 'g'), false)
      assert.equal(metrics.value('smart_whale_subscription_halted', labels), 0)
      const letters = (await lettersOf(client, `${topic}.dlq`)).length
      assert.ok(letters <= 11, `${letters} dead letters`)
      assert.equal(handled.size + letters, 60)
    },
  },
  {
    name: 'refuses what its caller may not send or subscribe to, before anything is done',
    run: async (bench) => {
      const topic = await bench.topic()
      const asked: object[] = []
      const refusal = new OperationError('not for you', { status: 403 })
      const service = await bench.service({
        admit: (action) => {
          asked.push(action)
          throw refusal
        },
      })

      for (const work of [service.sendMessage(topic, 'x'), service.subscribe(topic, 'g', () => {})]) {
        await assert.rejects(work, (error) => InfrastructureError.isInstance(error) && error.status === 403)
      }
      assert.deepEqual(asked, [{ action: 'send', topic }, { action: 'subscribe', topic, groupId: 'g' }])
    },
  },
]
