import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createKafkaJsConnections } from '../../kafkajs/index.ts'
import { createPlatformaticConnections } from '../../platformatic/index.ts'
import { giveBack, ownMemory } from '../own-memory.ts'

const PRODUCE = 0
/** More than the system's buffers hold, so that some of it still lies on this side while nobody reads; and no more than is kept to be used again. */
const BODY_BYTES = 8 * 1024 * 1024
const [WRITTEN, WRITTEN_LATER] = [0x5a, 0xff]

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

/** A broker that takes connections and reads nothing until it is let. */
async function startDeafBroker() {
  const sockets: Socket[] = []
  const received: Buffer[] = []
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => received.push(chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  const read = async (bytes: number): Promise<Buffer> => {
    sockets[0]?.resume()
    await expect.poll(() => received.reduce((sum, { length }) => sum + length, 0), { timeout: 60_000 }).toBeGreaterThanOrEqual(bytes)
    return Buffer.concat(received)
  }
  return { target: { host: '127.0.0.1', port: (server.address() as { port: number }).port }, read, close }
}

describe.each([
  ['kafkajs', createKafkaJsConnections],
  ['@platformatic/kafka', createPlatformaticConnections],
] as const)('a request over connections of %s that nobody has read yet', (_, make) => {
  it('is sent as it was, though its memory is another batch\'s by then', async () => {
    const broker = await startDeafBroker()
    const connections = make({ brokers: [`127.0.0.1:${broker.target.port}`] })
    open.push(() => connections.close(), broker.close)
    const body = ownMemory(BODY_BYTES).fill(WRITTEN)
    const sent = Promise.withResolvers<void>()
    const request = { apiKey: PRODUCE, apiVersion: 9, flexible: true, lane: 'control', body: [body], timeoutMs: 60_000, onSend: () => sent.resolve() } as const
    const failed = connections.request(broker.target, request).catch((error: unknown) => error)
    await sent.promise
    await new Promise((resolve) => setImmediate(resolve))

    giveBack(body)
    const next = ownMemory(BODY_BYTES).fill(WRITTEN_LATER)
    const arrived = await broker.read(BODY_BYTES)
    await connections.close()

    expect(next.length).toBe(BODY_BYTES)
    expect(await failed).toMatchObject({ code: expect.stringContaining('ERR_') as string })
    expect(arrived.subarray(-BODY_BYTES).equals(Buffer.alloc(BODY_BYTES, WRITTEN))).toBe(true)
  })
})
