import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type FakeBroker, framed, startFakeBroker } from '../../../test/support/fake-broker.ts'
import { createKafkaJsConnections } from '../../kafkajs/index.ts'
import { createPlatformaticConnections } from '../../platformatic/index.ts'
import type { KafkaApi } from '../kafka-api.ts'
import { createKafkaApi } from '../protocol/create-kafka-api.ts'

/** A heartbeat's answer: not throttled, no error. */
const WELL = Buffer.alloc(6)
const FRAME_BYTES = framed(0, WELL).length
const RIGHT = { groupId: 'g', generation: 1, memberId: 'm' }
const SOON = { timeoutMs: 30_000 }

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

type Make = typeof createKafkaJsConnections

async function connected(make: Make): Promise<{ broker: FakeBroker; beat: (timeoutMs?: number) => ReturnType<KafkaApi['heartbeat']> }> {
  const broker = await startFakeBroker(WELL)
  const connections = make({ brokers: [`127.0.0.1:${broker.target.port}`] })
  const api = createKafkaApi(connections)
  open.push(() => connections.close(), broker.close)
  return { broker, beat: (timeoutMs = SOON.timeoutMs) => api.heartbeat(broker.target, RIGHT, { timeoutMs }) }
}

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then((answer) => ({ answer }), (error: unknown) => error)
const cutAfter = (bytes: number) => (id: number, socket: Socket): void => void socket.end(framed(id, WELL).subarray(0, bytes))

describe.each([
  ['kafkajs', createKafkaJsConnections],
  ['@platformatic/kafka', createPlatformaticConnections],
] as const)('an answer over connections of %s', (_, make) => {
  it.each(Array.from({ length: FRAME_BYTES }, (__, bytes) => bytes))('that is cut off after %d bytes is none, and the next request is answered over another connection', async (bytes) => {
    const { broker, beat } = await connected(make)
    expect(await beat()).toEqual({ errorCode: 0 })
    broker.script.push(cutAfter(bytes))

    const error = await failureOf(beat())

    expect(error).toMatchObject({ code: 'ERR_MESSAGING_CONNECTION', retryable: true })
    expect(await beat()).toEqual({ errorCode: 0 })
    expect(broker.accepted()).toBe(2)
  })

  it('that comes byte by byte is put together', async () => {
    const { broker, beat } = await connected(make)
    broker.script.push((id, socket) => {
      socket.setNoDelay(true)
      void (async () => {
        for (const byte of framed(id, Buffer.from([0, 0, 0, 0, 0, 27]))) {
          socket.write(Buffer.from([byte]))
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
      })()
    })

    expect(await beat()).toEqual({ errorCode: 27 })
  })

  it.each([0, 1, 5])('that is whole with %d bytes of its six is refused as malformed', async (bytes) => {
    const { broker, beat } = await connected(make)
    broker.script.push((id, socket) => void socket.write(framed(id, WELL.subarray(0, bytes))))

    expect(await failureOf(beat())).toMatchObject({ code: 'ERR_MESSAGING_PROTOCOL', retryable: false })
    expect(await beat()).toEqual({ errorCode: 0 })
  })

  it('that has bytes too many is refused as malformed', async () => {
    const { broker, beat } = await connected(make)
    broker.script.push((id, socket) => void socket.write(framed(id, Buffer.alloc(9))))

    expect(await failureOf(beat())).toMatchObject({ code: 'ERR_MESSAGING_PROTOCOL' })
  })

  it('to another request than was asked is taken for nobody\'s', async () => {
    const { broker, beat } = await connected(make)
    await beat()
    broker.script.push((id, socket) => void socket.write(framed(id + 1_000, Buffer.from([0, 0, 0, 0, 0, 25]))))

    expect(await failureOf(beat(300))).toMatchObject({ retryable: true })
    expect(await beat()).toEqual({ errorCode: 0 })
  })

  it('that comes too late is not taken for that of the next request', async () => {
    const { broker, beat } = await connected(make)
    await beat()
    broker.script.push((id, socket) => void setTimeout(() => socket.write(framed(id, Buffer.from([0, 0, 0, 0, 0, 25]))), 250))

    expect(await failureOf(beat(100))).toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT', retryable: true })
    const next = await Promise.all([beat(), beat(), new Promise((resolve) => setTimeout(resolve, 300)).then(() => beat())])

    expect(next).toEqual(Array(3).fill({ errorCode: 0 }))
    expect(broker.accepted()).toBe(2)
  })

  it('that claims to be longer than anything is waited for no longer than the deadline', async () => {
    const { broker, beat } = await connected(make)
    await beat()
    broker.script.push((id, socket) => {
      const frame = framed(id, WELL)
      frame.writeInt32BE(2 ** 31 - 1, 0)
      socket.write(frame)
    })

    expect(await failureOf(beat(300))).toMatchObject({ retryable: true })
    expect(await beat()).toEqual({ errorCode: 0 })
  })
})
