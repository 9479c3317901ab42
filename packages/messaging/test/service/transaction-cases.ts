import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { MessagingTransport } from '../../src/transport.ts'
import { readTopic, until } from '../contract/subject.ts'
import { aes, lettersOf, type ServiceBench, type ServiceCase } from './service-subject.ts'

const range = (length: number): number[] => Array.from({ length }, (_, index) => index)

const valuesIn = async (client: MessagingTransport, topic: string): Promise<unknown[]> => (await readTopic(client, topic)).map(({ value }) => JSON.parse(value ?? 'null') as unknown)

async function arrange(bench: ServiceBench, partitions = 1) {
  const [input, output] = [await bench.topic(partitions), await bench.topic(partitions)]
  return { input, output, client: await bench.client(), service: await bench.service(), groupId: randomUUID() }
}

/** Transactions of a service. */
export const transactionCases: readonly ServiceCase[] = [
  {
    name: 'shows the messages of a transaction in all topics, and none of one that fails',
    run: async (bench) => {
      const { input: one, output: other, client, service } = await arrange(bench)

      const sum = await service.transaction(async (transaction) => {
        await transaction.sendBatch(one, [1, 2])
        await transaction.sendMessage(other, 3, { key: 'k', headers: { from: 'here' } })
        return 6
      })
      const failing = service.transaction(async (transaction) => {
        await transaction.sendMessage(one, 'never')
        throw new RangeError('changed my mind')
      })
      await assert.rejects(failing, RangeError)
      await until('all is seen', async () => (await valuesIn(client, one)).length === 2 && (await valuesIn(client, other)).length === 1)

      assert.equal(sum, 6)
      assert.deepEqual(await valuesIn(client, one), [1, 2])
      const [letter] = await lettersOf(client, other)
      assert.deepEqual([letter?.key, letter?.headers['from'], letter?.headers['content-type']], ['k', 'here', 'application/json'])
    },
  },
  {
    name: 'has in a transaction what its work sent without awaiting it, and nothing that comes later',
    run: async (bench) => {
      const { output, client, service } = await arrange(bench)
      let sendLate = (): Promise<unknown> => Promise.resolve()

      await service.transaction(async (transaction) => {
        void transaction.sendMessage(output, 1)
        sendLate = () => transaction.sendMessage(output, 2)
      })
      const failing = service.transaction(async (transaction) => {
        transaction.sendMessage(output, () => {}).catch(() => {})
        await transaction.sendMessage(output, 3)
      })

      await assert.rejects(failing, { code: 'ERR_MESSAGING_INVALID_MESSAGE' })
      await assert.rejects(sendLate(), { code: 'ERR_MESSAGING_TRANSACTION_STATE' })
      await until('the message is seen', async () => (await valuesIn(client, output)).length === 1)
      assert.deepEqual(await valuesIn(client, output), [1])
    },
  },
  {
    name: 'runs the transactions of one id one after the other, and keeps out who had it before',
    run: async (bench) => {
      const { output, client, service } = await arrange(bench)
      const other = await bench.service()
      const transactionalId = randomUUID()
      let open = 0
      const send = (value: number) => (transaction: { sendMessage(topic: string, message: unknown): Promise<boolean> }) => {
        assert.equal(++open, 1)
        return transaction.sendMessage(output, value).finally(() => open--)
      }

      await Promise.all(range(5).map((value) => service.transaction(send(value), { transactionalId })))
      await other.transaction(send(5), { transactionalId })
      await assert.rejects(service.transaction(send(6), { transactionalId }), { code: 'ERR_MESSAGING_PRODUCER_FENCED' })
      await service.transaction(send(7))
      await until('all is seen', async () => (await valuesIn(client, output)).length === 7)

      assert.deepEqual(await valuesIn(client, output), [0, 1, 2, 3, 4, 5, 7])
    },
  },
  {
    name: 'makes one message of each, though handlers fail in the middle and members come and go',
    run: async (bench) => {
      const { input, output, client, service, groupId } = await arrange(bench, 3)
      const second = await bench.service({}, { isToCrash: true })
      const failed = new Set<unknown>()
      const double = async (messages: readonly { value: unknown }[], transaction: { sendMessage(topic: string, message: unknown, options: object): Promise<boolean> }): Promise<void> => {
        for (const { value } of messages) {
          await transaction.sendMessage(output, Number(value) * 2, { key: String(value) })
          // Once each: what this run has sent so far must not be seen.
          if (Number(value) % 10 === 7 && failed.size !== failed.add(value).size) throw new Error('not yet')
        }
      }

      await service.transform(input, groupId, (messages, transaction) => double(messages, transaction), { batchSize: 7 })
      await service.sendBatch(input, range(150), { key: String })
      await second.transform(input, groupId, (messages, transaction) => double(messages, transaction), { batchSize: 5 })
      await service.sendBatch(input, range(150).map((value) => value + 150), { key: (value) => String(value) })
      await until('half is there', async () => (await valuesIn(client, output)).length > 100)
      bench.crash(second)
      await until('all is there', async () => (await valuesIn(client, output)).length >= 300)
      await service.unsubscribe(input, groupId)

      assert.deepEqual((await valuesIn(client, output)).map(Number).sort((a, b) => a - b), range(300).map((value) => value * 2))
      assert.equal(failed.size, 30)
      const lag = await service.getConsumerLag(input, groupId)
      assert.equal(lag.total, 0n)
    },
  },
  {
    name: 'counts a group that has read all of a transaction as up to date',
    run: async (bench) => {
      const { output, client, service, groupId } = await arrange(bench)
      const handled: unknown[] = []
      await service.subscribe(output, groupId, ({ value }) => void handled.push(value), { commitIntervalMs: 20 })

      await service.transaction((transaction) => transaction.sendBatch(output, [1, 2, 3]))
      await until('all is handled', () => handled.length === 3)
      await until('the group is up to date', async () => {
        const [lag] = await client.groupLag(groupId, output)
        return lag !== undefined && lag.latest >= 3n && lag.committed === lag.latest
      })
    },
  },
  {
    name: 'puts what can not be transformed into the dead letters, once, and goes on behind it',
    run: async (bench) => {
      const { input, output, client, groupId } = await arrange(bench)
      const service = await bench.service({ encryptor: aes(), acceptPlaintext: true })
      await client.send(input, [{ value: '{"cut', headers: { 'content-type': 'application/json' } }])
      await service.sendBatch(input, [1, 'bad', 2])

      await service.transform(
        input,
        groupId,
        async (messages, transaction) => {
          for (const { value } of messages) {
            await transaction.sendMessage(output, `of ${String(value)}`)
            if (value === 'bad') throw new TypeError('this one is bad')
          }
        },
        { breaker: false },
      )
      await until('the good ones are there', async () => (await readTopic(client, output)).length === 2)
      await until('the bad ones are there', async () => (await client.topics.list()).includes(`${input}.dlq`) && (await lettersOf(client, `${input}.dlq`)).length === 2)

      const letters = await lettersOf(client, `${input}.dlq`)
      assert.deepEqual(letters.map(({ headers }) => headers['smartwhale-dlq-reason-code']), ['ERR_MESSAGING_UNDECODABLE', 'ERR_MESSAGING_HANDLER_FAILED'])
      assert.deepEqual(letters.map(({ headers }) => headers['smartwhale-dlq-offset']), ['0', '2'])
    },
  },
  {
    name: 'dead-letters a message whose result its topic does not take, and the others have theirs',
    run: async (bench) => {
      const { input, client, service, groupId } = await arrange(bench)
      const output = await bench.topic(1, { 'max.message.bytes': '3000' })
      await service.sendBatch(input, ['a', 'large', 'b'])

      await service.transform(
        input,
        groupId,
        async (messages, transaction) => {
          for (const { value } of messages) await transaction.sendMessage(output, value === 'large' ? 'x'.repeat(20_000) : value)
        },
        { breaker: false },
      )
      await until('the others are there', async () => (await readTopic(client, output)).length === 2)
      await until('the large one is dead', async () => (await client.topics.list()).includes(`${input}.dlq`) && (await lettersOf(client, `${input}.dlq`)).length === 1)

      assert.deepEqual((await readTopic(client, output)).map(({ value }) => value), ['a', 'b'])
      const [letter] = await lettersOf(client, `${input}.dlq`)
      assert.deepEqual([letter?.headers['smartwhale-dlq-reason-code'], letter?.headers['smartwhale-dlq-offset']], ['ERR_MESSAGING_RECORD_TOO_LARGE', '1'])
    },
  },
]
