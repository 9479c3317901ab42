import { createServer, type Server } from 'node:net'

/**
 * Below the ports that the system gives to outgoing connections. A server that is down for a while keeps its port to
 * itself there; above, a client that keeps trying may be given that very port, and then talks to itself.
 */
const LOWEST = 20_000
const HIGHEST = 31_999

/** Ports of 127.0.0.1 that nobody listens on, each another. */
export async function findFreePorts(count: number): Promise<number[]> {
  const held: Server[] = []
  try {
    while (held.length < count) {
      const server = await tryListen(LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1)))
      if (server !== undefined) held.push(server)
    }
    return held.map((server) => (server.address() as { port: number }).port)
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

/** One free port. */
export async function findFreePort(): Promise<number> {
  const [port] = await findFreePorts(1)
  return port as number
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server))
  })
}
