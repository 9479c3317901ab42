import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between an adapter and its server, and may swallow the rest of a request or of its answer: neither side hears of it. */
export interface StallingProxy {
  readonly url: string
  /** Resolves when a request or an answer hangs half-sent. */
  readonly stalled: Promise<void>
  /** Breaks every connection off. */
  cutOff(): void
  close(): Promise<void>
}

/** Lets everything pass, until a request that contains `marker`, or its answer, has sent so many bytes. */
export async function stallingProxy(target: string, marker: string, afterBytes: number, swallowed: 'request' | 'answer' = 'request'): Promise<StallingProxy> {
  const { hostname, port } = new URL(target)
  const stalled = Promise.withResolvers<void>()
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let seen = 0
    let isMarked = false
    client.on('data', (data: Buffer) => {
      isMarked ||= data.includes(marker)
      pass(data, upstream, 'request')
    })
    upstream.on('data', (data: Buffer) => pass(data, client, 'answer'))
    upstream.on('end', () => {
      if (seen <= afterBytes) client.end()
    })
    const pass = (data: Buffer, to: Socket, direction: typeof swallowed): void => {
      if (isMarked && direction === swallowed) seen += data.length
      if (seen > afterBytes && direction === swallowed) return stalled.resolve()
      to.write(data)
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.on('close', () => {
      // As if the client's machine were gone: the server is not told.
      if (seen <= afterBytes) upstream.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cutOff = (): void => sockets.forEach((socket) => socket.destroy())
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stalled: stalled.promise,
    cutOff,
    close: async () => {
      cutOff()
      server.close()
      await once(server, 'close')
    },
  }
}
