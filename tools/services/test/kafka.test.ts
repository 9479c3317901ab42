import { connect as connectTls } from 'node:tls'
import { connect as connectPlain, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KafkaCluster, type KafkaNode, startKafka } from '../src/index.ts'
import { fetchMetadata } from '../src/kafka/kafka-wire.ts'
import { askVersions, saslPlain } from './kafka-requests.ts'
import { startOr } from './start-or-skip.ts'

describe('startKafka', () => {
  let cluster: KafkaCluster | undefined
  let lack = ''
  beforeAll(async () => {
    ;({ started: cluster, lack } = await startOr(() => startKafka({ nodes: 3, isShortLived: true, users: [{ username: 'ann', password: 'a secret' }] })))
  }, 240_000)
  afterAll(() => cluster?.stop())

  /** Each test begins and ends with a whole cluster. */
  const whole = (work: (cluster: KafkaCluster) => Promise<void>) => async (context: { skip(note: string): never }) => {
    if (cluster === undefined) return context.skip(`needs Apache Kafka: ${lack}`)
    await work(cluster)
    await cluster.awaitInSync()
  }

  it(
    'starts nodes that know each other',
    whole(async ({ brokers, awaitInSync }) => {
      await awaitInSync()

      for (const broker of brokers) expect((await fetchMetadata(broker)).brokers).toHaveLength(3)
    }),
  )

  it(
    'shows a certificate that a client can check',
    whole(async ({ secured, certificate }) => {
      const socket = await secureConnection(secured.tls?.[0] ?? '', certificate)

      expect(socket.authorized).toBe(true)
      socket.destroy()
    }),
  )

  it(
    'lets in who knows the password, with and without TLS, and nobody else',
    whole(async ({ secured, certificate }) => {
      const plain = (): Promise<Socket> => plainConnection(secured.sasl?.[1] ?? '')
      const secure = (): Promise<Socket> => secureConnection(secured.saslTls?.[1] ?? '', certificate)

      expect(await saslPlain(await plain(), 'ann', 'a secret')).toBe('let in')
      expect(await saslPlain(await secure(), 'ann', 'a secret')).toBe('let in')
      expect(await saslPlain(await plain(), 'ann', 'another')).toBe('refused')
    }),
  )

  it(
    'goes on when a node is killed, and takes it back with all it missed',
    whole(async ({ nodes, brokers, awaitInSync }) => {
      const [first, second] = nodes as [KafkaNode, KafkaNode]
      const before = second.pids
      await second.kill()

      expect(second.pids).toEqual([])
      await expect(fetchMetadata(second.address)).rejects.toMatchObject({ code: 'ERR_SERVICES_PROTOCOL' })
      await expect(awaitInSync(300)).rejects.toMatchObject({ code: 'ERR_SERVICES_START_TIMEOUT', message: expect.stringContaining('the cluster is not whole') as string })
      expect((await fetchMetadata(first.address)).brokers.length).toBeGreaterThanOrEqual(2)

      await second.restart()
      await awaitInSync()
      expect(second.address).toBe(brokers[1])
      expect(second.pids).not.toEqual(before)
    }),
    120_000,
  )

  it(
    'holds a node and lets it go on: connections stay, answers come late',
    whole(async ({ nodes }) => {
      const node = nodes[2] as KafkaNode
      const socket = await plainConnection(node.address)
      node.pause()

      await expect(askVersions(socket, 300)).resolves.toBe('no answer')
      node.resume()
      await expect(askVersions(socket, 10_000)).resolves.toBe('an answer')
      socket.destroy()
    }),
    60_000,
  )
})

function plainConnection(address: string): Promise<Socket> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connectPlain({ host, port: Number(port) })
    socket.once('error', reject).once('connect', () => resolve(socket))
  })
}

function secureConnection(address: string, ca: string): Promise<ReturnType<typeof connectTls>> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: Number(port), ca })
    socket.once('error', reject).once('secureConnect', () => resolve(socket))
  })
}
