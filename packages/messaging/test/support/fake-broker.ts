import { createServer, type Socket } from 'node:net'

/** What a fake broker does with one request, whose correlation id it is given. */
export type FakeAnswer = (correlationId: number, socket: Socket) => void

/** A broker that says what it is told to say, byte by byte. */
export interface FakeBroker {
  readonly target: { readonly host: string; readonly port: number }
  /** How many connections there have been. */
  accepted(): number
  /** What the next requests are answered by; afterwards all are answered well. */
  readonly script: FakeAnswer[]
  close(): Promise<void>
}

const LENGTH_BYTES = 4
const CORRELATION_AT = 4 + 2 + 2

/** The frame of an answer: its length, the correlation id, and the body. */
export function framed(correlationId: number, body: Uint8Array): Buffer {
  const frame = Buffer.alloc(LENGTH_BYTES + 4 + body.length)
  frame.writeInt32BE(4 + body.length, 0)
  frame.writeInt32BE(correlationId, LENGTH_BYTES)
  frame.set(body, LENGTH_BYTES + 4)
  return frame
}

/** Starts one; `body` is the answer when all is well. */
export async function startFakeBroker(body: Uint8Array): Promise<FakeBroker> {
  const script: FakeAnswer[] = []
  const sockets = new Set<Socket>()
  let accepted = 0
  const server = createServer((socket) => {
    accepted++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let given = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      given = Buffer.concat([given, chunk])
      while (given.length >= LENGTH_BYTES && given.length >= LENGTH_BYTES + given.readInt32BE(0)) {
        const correlationId = given.readInt32BE(CORRELATION_AT)
        given = given.subarray(LENGTH_BYTES + given.readInt32BE(0))
        const answer = script.shift() ?? ((id, to) => void to.write(framed(id, body)))
        answer(correlationId, socket)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    target: { host: '127.0.0.1', port: (server.address() as { port: number }).port },
    accepted: () => accepted,
    script,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
