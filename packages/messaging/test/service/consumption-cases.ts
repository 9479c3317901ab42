import assert from 'node:assert/strict'
import { createRetry } from '@smart-whale/core-resilience'
import { setTimeout as pause } from 'node:timers/promises'
import { type ReceivedMessage, ValidationError } from '@smart-whale/interfaces'
import { DEAD_LETTER_HEADERS } from '../../src/dead-letter.ts'
import { until } from '../contract/subject.ts'
import { lettersOf, readableMetrics, type ServiceCase } from './service-subject.ts'

const range = (length: number): number[] => Array.from({ length }, (_, index) => index)

/** What handlers are given, in which order, and what is committed. */
export const consumptionCases: readonly ServiceCase[] = [
  {
    name: 'handles and sends by its own rules, whatever call it was subscribed in',
    run: async (bench) => {
      const topic = await bench.topic()
      const [service, client] = [await bench.service(), await bench.client()]
      const runs: unknown[] = []
      const enough = Promise.withResolvers<void>()
      const call = createRetry({ maxAttempts: 2, ambient: true, budget: false })

      // The call goes on meanwhile: how often it tries, and until when, is not the handler's affair.
      await call.execute(
        async () => {
          await service.subscribe(topic, 'g', ({ value }) => {
            if (runs.push(value) === 3) enough.resolve()
            throw new Error('not yet')
          })
          await service.sendMessage(topic, 'x')
          await enough.promise
        },
        { deadlineAtMs: performance.now() + 60_000 },
      )
      await until('it is a dead letter', async () => (await client.topics.list()).includes(`${topic}.dlq`))

      assert.deepEqual(runs, ['x', 'x', 'x'])
    },
  },
  {
    name: 'hands over batches of all keys at a time, each key in its order, and commits to the end',
    run: async (bench) => {
      const topic = await bench.topic(2)
      const service = await bench.service()
      const seen: { key: string; n: number }[] = []
      const busy = new Set<string | null>()
      let [largest, most] = [0, 0]
      await service.sendBatch(topic, range(300).map((n) => ({ n })), { key: (message) => `k${(message as { n: number }).n % 7}` })

      await service.subscribeBatch(topic, 'g', async (messages) => {
        const keys = new Set(messages.map(({ key }) => key))
        for (const key of keys) assert.ok(!busy.has(key), `two batches have key ${key} at a time`)
        for (const key of keys) busy.add(key)
        largest = Math.max(largest, messages.length)
        most = Math.max(most, busy.size)
        await pause(1)
        for (const { key, value } of messages) seen.push({ key: key ?? '', n: (value as { n: number }).n })
        for (const key of keys) busy.delete(key)
      }, { concurrency: 4, batchSize: 20 })
      await until('all are handled', () => seen.length === 300)

      for (const key of range(7)) {
        const own = seen.filter((entry) => entry.key === `k${key}`).map(({ n }) => n)
        assert.deepEqual(own, own.toSorted((a, b) => a - b))
      }
      assert.ok(largest > 1 && largest <= 20, `largest batch: ${largest}`)
      await until('everything is committed', async () => (await service.getConsumerLag(topic, 'g')).total === 0n)
    },
  },
  {
    name: 'deals with each message of a batch by what the handler says of it',
    run: async (bench) => {
      const topic = await bench.topic()
      const [service, client] = [await bench.service(), await bench.client()]
      const attempts = new Map<unknown, number>()
      await service.sendBatch(topic, ['good', 'bad', 'later', 'fine'])

      await service.subscribeBatch(topic, 'g', (messages) =>
        messages.flatMap((message) => {
          const attempt = (attempts.get(message.value) ?? 0) + 1
          attempts.set(message.value, attempt)
          if (message.value === 'bad') return [{ message, error: new ValidationError('never') }]
          return message.value === 'later' && attempt < 3 ? [{ message, error: new Error('not yet') }] : []
        }))
      await until('all are dealt with', async () => (await service.getConsumerLag(topic, 'g')).total === 0n)

      assert.deepEqual(Object.fromEntries(attempts), { good: 1, bad: 1, later: 3, fine: 1 })
      const letters = await lettersOf(client, `${topic}.dlq`)
      assert.deepEqual(letters.map(({ value, headers }) => [String(value), headers[DEAD_LETTER_HEADERS.reasonCode]]), [['bad', 'ERR_VALIDATION']])
    },
  },
  {
    name: 'finds the bad one when a batch fails as a whole',
    run: async (bench) => {
      const topic = await bench.topic()
      const [service, client] = [await bench.service(), await bench.client()]
      const done = new Set<unknown>()
      await service.sendBatch(topic, range(20).map(String))

      await service.subscribeBatch(topic, 'g', (messages) => {
        if (messages.some(({ value }) => value === '7')) throw new ValidationError('a bad row')
        for (const { value } of messages) done.add(value)
      })
      await until('all are dealt with', async () => (await service.getConsumerLag(topic, 'g')).total === 0n)

      assert.equal(done.size, 19)
      assert.deepEqual((await lettersOf(client, `${topic}.dlq`)).map(({ value }) => String(value)), ['7'])
    },
  },
  {
    name: 'redelivers nothing after a clean stop in the middle of the work',
    run: async (bench) => {
      const topic = await bench.topic(2)
      const handled = new Map<unknown, number>()
      const handler = async ({ value }: ReceivedMessage): Promise<void> => {
        handled.set(value, (handled.get(value) ?? 0) + 1)
        await pause(2)
      }
      const sender = await bench.service()
      await sender.sendBatch(topic, range(200), { key: (message) => `k${Number(message) % 9}` })

      for (const stopAfter of [30, 80, 140]) {
        const service = await bench.service()
        await service.subscribe(topic, 'g', handler, { concurrency: 3 })
        await until(`${stopAfter} are handled`, () => handled.size >= stopAfter)
        await service.disconnect()
      }
      const last = await bench.service()
      await last.subscribe(topic, 'g', handler, { concurrency: 3 })
      await until('all are handled', () => handled.size === 200)
      await last.unsubscribe(topic, 'g')

      assert.deepEqual([...handled].filter(([, times]) => times !== 1), [])
      assert.equal((await sender.getConsumerLag(topic, 'g')).total, 0n)
    },
  },
  {
    name: 'redelivers nothing and keeps the order of each key while members come and go',
    run: async (bench) => {
      const topic = await bench.topic(4)
      const handled = new Map<number, number>()
      const orderOf = new Map<string | null, number[]>()
      const handler = async ({ key, value }: ReceivedMessage): Promise<void> => {
        await pause(1 + (Number(value) % 4))
        handled.set(Number(value), (handled.get(Number(value)) ?? 0) + 1)
        orderOf.set(key, [...(orderOf.get(key) ?? []), Number(value)])
      }
      const sender = await bench.service()
      await sender.sendBatch(topic, range(1_500), { key: (message) => `k${Number(message) % 23}` })
      const join = async () => {
        const member = await bench.service()
        await member.subscribe(topic, 'g', handler, { concurrency: 2, maxInFlight: 20 })
        return member
      }

      const members = [await join()]
      for (const many of [3, 1, 2]) {
        const before = handled.size
        while (members.length < many) members.push(await join())
        while (members.length > many) await members.pop()?.disconnect()
        await until('the work goes on', () => handled.size >= Math.min(before + 150, 1_500))
      }
      await until('all are handled', () => handled.size === 1_500)
      for (const member of members) await member.disconnect()

      assert.deepEqual([...handled].filter(([, times]) => times !== 1), [])
      for (const [key, values] of orderOf) assert.deepEqual(values, values.toSorted((a, b) => a - b), `order of ${key}`)
      assert.equal((await sender.getConsumerLag(topic, 'g')).total, 0n)
    },
  },
  {
    name: 'loses nothing when members are killed in the middle of the work',
    run: async (bench) => {
      const topic = await bench.topic(2)
      const handled = new Map<unknown, number>()
      const sender = await bench.service()
      await sender.sendBatch(topic, range(400), { key: (message) => `k${Number(message) % 11}` })

      for (const killAfter of [60, 150, 260, Infinity]) {
        let isAlive = true
        const member = await bench.service({}, { isToCrash: killAfter !== Infinity })
        await member.subscribe(topic, 'g', async ({ value }) => {
          await pause(1)
          // What a killed process still does has no effect.
          if (isAlive) handled.set(value, (handled.get(value) ?? 0) + 1)
        }, { concurrency: 3, maxInFlight: 30, commitIntervalMs: 20 })
        await until(`${killAfter} are handled`, () => handled.size >= Math.min(killAfter, 400))
        if (killAfter === Infinity) break
        isAlive = false
        bench.crash(member)
      }

      assert.equal(handled.size, 400)
      await until('everything is committed', async () => (await sender.getConsumerLag(topic, 'g')).total === 0n)
    },
  },
  {
    name: 'says how far a group is behind, partition by partition, also before its first commit',
    run: async (bench) => {
      const topic = await bench.topic(2)
      const metrics = readableMetrics()
      const service = await bench.service({ metrics: metrics.sink })
      await service.sendBatch(topic, range(10), { key: () => 'one' })

      const lag = await service.getConsumerLag(topic, 'g')

      assert.equal(lag.total, 10n)
      assert.deepEqual(lag.partitions.map((partition) => partition.lag).toSorted(), [0n, 10n])
      assert.ok(lag.partitions.every(({ committed }) => committed === null))
      const full = lag.partitions.find((partition) => partition.lag === 10n)
      assert.equal(metrics.value('smart_whale_consumer_lag', { topic, group: 'g', partition: full?.partition }), 10)
    },
  },
  {
    name: 'does not handle what is of no use any more, but counts it, and dead-letters it if told to',
    run: async (bench) => {
      const topic = await bench.topic()
      const metrics = readableMetrics()
      const [service, client] = [await bench.service({ metrics: metrics.sink }), await bench.client()]
      const handled: unknown[] = []
      const old = { timestamp: '2020-01-01T00:00:00Z' }
      await service.sendMessage(topic, 'old', { ttlMs: 0 })
      await service.sendMessage(topic, { metadata: { ...old, ttl: 5 } })
      await service.sendMessage(topic, { metadata: { ...old, expires_at: '2020-01-01T00:00:01Z' } })
      await service.sendMessage(topic, { metadata: { ...old } })
      await service.sendMessage(topic, 'fresh', { ttlMs: 600_000 })

      await service.subscribe(topic, 'g', ({ value }) => void handled.push(value))
      await service.subscribe(topic, 'strict', () => {}, { expired: 'dead-letter' })
      await until('both groups are at the end', async () => (await service.getConsumerLag(topic, 'g')).total + (await service.getConsumerLag(topic, 'strict')).total === 0n)

      assert.deepEqual(handled, [{ metadata: old }, 'fresh'])
      assert.equal(metrics.value('smart_whale_messages_expired_total', { topic, group: 'g' }), 3)
      assert.deepEqual((await lettersOf(client, `${topic}.dlq`)).map(({ headers }) => headers[DEAD_LETTER_HEADERS.reasonCode]), Array(3).fill('ERR_MESSAGING_EXPIRED'))
    },
  },
]
