import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { createCuttableProxy } from '../../../../tools/engines/cuttable-proxy.ts'
import type { KafkaApi, KafkaRequestOptions } from '../../src/kafka/kafka-api.ts'
import { assertQuiet, type ConnectionCase, type ConnectionSubject, failureOf, SOON, whenQuiet, withConnections } from './connection-subject.ts'
import { createSwallowingProxy } from './swallowing-proxy.ts'

const LOCALHOST = '127.0.0.1'

/** A fetch from an empty topic, which the broker answers when the time is up. */
function fetchNothing({ topicId, broker }: Pick<ConnectionSubject, 'topicId' | 'broker'>, api: KafkaApi, maxWaitMs: number, options: KafkaRequestOptions = SOON): Promise<unknown> {
  const partition = { topicId, partition: 0, leaderEpoch: -1, fetchOffset: 0n, maxBytes: 1_000 }
  return api.fetch(broker, { maxWaitMs, minBytes: 1, maxBytes: 1_000, partitions: [partition] }, options)
}

/** What every library's connections must do. */
export const connectionContract: readonly ConnectionCase[] = [
  {
    name: 'reach a broker and are answered',
    run: (subject) =>
      withConnections(subject, subject.broker, {}, async (api) => {
        const { nodes, controllerId } = await api.metadata(subject.broker, [], SOON)

        assert.ok(nodes.some(({ nodeId }) => nodeId === controllerId))
      }),
  },
  {
    name: 'give each of many concurrent requests its own answer',
    run: (subject) =>
      withConnections(subject, subject.broker, {}, async (api) => {
        const names = Array.from({ length: 200 }, (_, index) => `absent-${index}`)

        const answers = await Promise.all(names.map((name, index) => api.metadata(subject.broker, [name], { ...SOON, channel: String(index % 3) })))

        assert.deepEqual(
          answers.map(({ topics }) => topics.map(({ name }) => name)),
          names.map((name) => [name]),
        )
      }),
  },
  {
    name: 'hold up no lane and no channel by a fetch that waits',
    run: (subject) =>
      withConnections(subject, subject.broker, {}, async (api) => {
        const waiting = new AbortController()
        const stuck = failureOf(fetchNothing(subject, api, 30_000, { timeoutMs: 60_000, signal: waiting.signal }))

        await api.metadata(subject.broker, [], SOON)
        await fetchNothing(subject, api, 0, { ...SOON, channel: 'another reader' })
        await api.findCoordinator(subject.broker, 'anyone', 'group', SOON)

        waiting.abort()
        assert.equal((await stuck).code, 'ERR_ABORTED')
      }),
  },
  {
    name: 'carry long requests and answers whole',
    run: (subject) =>
      withConnections(subject, subject.broker, {}, async (api) => {
        // A subscription to no topics, with user data.
        const metadata = Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 0, 0, 3, 0x0d, 0x40]), Buffer.alloc(200_000, 'x')])
        const join = { groupId: `large-${process.pid}`, sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, protocols: [{ name: 'range', metadata }] }
        const ask = (): ReturnType<KafkaApi['joinGroup']> => api.joinGroup(subject.broker, { ...join, memberId: '' }, SOON)
        let asked = await ask()
        // A broker that has just begun is still loading its groups.
        for (const deadline = performance.now() + SOON.timeoutMs; asked.memberId === '' && performance.now() < deadline; asked = await ask());

        const joined = await api.joinGroup(subject.broker, { ...join, memberId: asked.memberId }, SOON)

        assert.deepEqual(joined.members.map((member) => Buffer.compare(member.metadata, metadata)), [0])
        await api.leaveGroup(subject.broker, { groupId: join.groupId, memberId: asked.memberId }, SOON)
      }),
  },
  {
    name: 'reject what is under way when a connection breaks, at once, and connect anew',
    async run(subject) {
      const proxy = await createCuttableProxy(subject.broker.port)
      const target = { host: LOCALHOST, port: proxy.port }
      await withConnections(subject, target, {}, async (api) => {
        await fetchNothing({ ...subject, broker: target }, api, 0)
        const waiting = failureOf(fetchNothing({ ...subject, broker: target }, api, 30_000, { timeoutMs: 60_000 }))
        await fetchNothing({ ...subject, broker: target }, api, 0, { ...SOON, channel: 'other' })

        proxy.cut()
        const broken = await waiting
        const refused = await failureOf(api.metadata(target, [], SOON))
        proxy.mend()
        const { nodes } = await api.metadata(target, [], SOON)

        for (const error of [broken, refused]) assert.deepEqual([error.code, error.retryable], ['ERR_MESSAGING_CONNECTION', true], error.message)
        assert.ok(nodes.length > 0)
      })
      await proxy.close()
    },
  },
  {
    name: 'give a request up at its deadline, and with it the connection that swallowed it',
    async run(subject) {
      const proxy = await createSwallowingProxy(subject.broker.port)
      const target = { host: LOCALHOST, port: proxy.port }
      await withConnections(subject, target, {}, async (api) => {
        await api.metadata(target, [], SOON)
        proxy.swallow()
        const behind = failureOf(api.metadata(target, [], SOON))

        const late = await failureOf(api.metadata(target, [], { timeoutMs: 200 }))
        const brokenWithIt = await behind
        proxy.passOn()
        await api.metadata(target, [], SOON)

        assert.deepEqual([late.code, late.retryable], ['ERR_MESSAGING_TIMEOUT', true])
        assert.equal(brokenWithIt.code, 'ERR_MESSAGING_CONNECTION')
        assert.equal(proxy.accepted(), 2)
      })
      await proxy.close()
    },
  },
  {
    name: 'give a connection up that does not come to stand',
    async run(subject) {
      const timers = await whenQuiet()
      const hole = await createSwallowingProxy()
      const target = { host: LOCALHOST, port: hole.port }
      await withConnections(subject, target, { tls: true, connectTimeoutMs: 200 }, async (api) => {
        const error = await failureOf(api.metadata(target, [], SOON))

        assert.deepEqual([error.code, error.retryable], ['ERR_MESSAGING_CONNECTION', true])
        assert.match(error.message, /didn't stand within 200 ms/)
      })
      await assertQuiet(timers)
      await hole.close()
    },
  },
  {
    name: 'say that nothing listens at a port',
    async run(subject) {
      const free = await createSwallowingProxy()
      await free.close()
      const target = { host: LOCALHOST, port: free.port }
      await withConnections(subject, target, {}, async (api) => {
        const error = await failureOf(api.metadata(target, [], SOON))

        assert.deepEqual([error.code, error.retryable], ['ERR_MESSAGING_CONNECTION', true])
        assert.match(error.message, new RegExp(`127.0.0.1:${free.port} failed \\(ECONNREFUSED\\); nothing listens there`))
      })
    },
  },
  {
    name: 'say that a name leads nowhere',
    run: (subject) =>
      withConnections(subject, { host: 'broker.invalid', port: 9092 }, {}, async (api) => {
        const error = await failureOf(api.metadata({ host: 'broker.invalid', port: 9092 }, [], SOON))

        assert.equal(error.code, 'ERR_MESSAGING_CONNECTION')
        assert.match(error.message, /broker\.invalid:9092.*can't be resolved/)
      }),
  },
  {
    name: 'fail in time at something that is not Kafka',
    async run(subject) {
      const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
      await new Promise<void>((resolve) => server.listen(0, LOCALHOST, resolve))
      const target = { host: LOCALHOST, port: (server.address() as { port: number }).port }
      await withConnections(subject, target, {}, async (api) => {
        const error = await failureOf(api.metadata(target, [], SOON))

        assert.deepEqual([error.code, error.retryable], ['ERR_MESSAGING_CONNECTION', true])
      })
      await new Promise((resolve) => server.close(resolve))
    },
  },
  {
    name: 'stop waiting when the caller does, before and behind the connection',
    async run(subject) {
      const hole = await createSwallowingProxy()
      const target = { host: LOCALHOST, port: hole.port }
      await withConnections(subject, target, {}, async (api) => {
        const gone = failureOf(api.metadata(target, [], { ...SOON, signal: AbortSignal.abort() }))
        const giveUp = new AbortController()
        const later = failureOf(api.metadata(target, [], { ...SOON, signal: giveUp.signal }))
        giveUp.abort()

        assert.deepEqual([(await gone).code, (await later).code], ['ERR_ABORTED', 'ERR_ABORTED'])
      })
      await hole.close()
    },
  },
  {
    name: 'reject what is under way when they are closed, take nothing afterwards, and leave no handle',
    async run(subject) {
      const timers = await whenQuiet()
      const connections = subject.create({ brokers: ['127.0.0.1:1'] })
      await withConnections({ create: () => connections }, subject.broker, {}, async (api) => {
        await api.metadata(subject.broker, [], SOON)
        const waiting = [
          fetchNothing(subject, api, 30_000, { timeoutMs: 60_000 }),
          // On its way to a broker: the connection doesn't stand yet.
          api.findCoordinator(subject.broker, 'anyone', 'group', { ...SOON, channel: 'new' }),
        ].map(failureOf)

        await connections.close()
        await connections.close()
        const afterwards = await failureOf(api.metadata(subject.broker, [], SOON))

        for (const error of [...(await Promise.all(waiting)), afterwards]) assert.deepEqual([error.code, error.retryable], ['ERR_MESSAGING_NOT_CONNECTED', false])
      })
      await assertQuiet(timers)
    },
  },
]
