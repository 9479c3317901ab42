import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy that can stop handing on what the other side says, while the connection stays: a black hole. */
export interface SwallowingProxy {
  readonly port: number
  /** How many connections there have been. */
  accepted(): number
  swallow(): void
  /** Hands on again what new connections are told. */
  passOn(): void
  close(): Promise<void>
}

/** Makes a proxy to a port of this machine; without one, it only swallows. */
export async function createSwallowingProxy(targetPort?: number): Promise<SwallowingProxy> {
  const sockets = new Set<Socket>()
  let accepted = 0
  let isSwallowing = targetPort === undefined
  const server = createServer((client) => {
    accepted++
    const upstream = targetPort === undefined ? undefined : connect(targetPort, '127.0.0.1')
    for (const socket of upstream === undefined ? [client] : [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream?.destroy()
      })
    }
    client.on('data', (chunk: Buffer) => void upstream?.write(chunk))
    upstream?.on('data', (chunk: Buffer) => void (isSwallowing || client.write(chunk)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    accepted: () => accepted,
    swallow: () => {
      isSwallowing = true
    },
    passOn: () => {
      isSwallowing = false
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
