import { connect, createServer, type Socket } from 'node:net'

/** A line to a server on this machine that can be made a black hole. */
export interface ToxicLine {
  readonly port: number
  /** From now on connections are taken, what is sent is swallowed, and nothing ever comes back. */
  swallow(): void
  /** Ends what was swallowed, and lets new connections through again. */
  release(): void
  close(): Promise<void>
}

/** Opens a line. */
export async function openLine(targetPort: number): Promise<ToxicLine> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let isHole = false
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    const pair = [client, upstream] as const
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    join(pair)
    if (isHole) swallow(pair)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endAll = (): void => {
    for (const [client, upstream] of pairs) {
      client.destroy()
      upstream.destroy()
    }
  }
  return {
    port: (server.address() as { port: number }).port,
    swallow: () => {
      isHole = true
      for (const pair of pairs) swallow(pair)
    },
    release: () => {
      isHole = false
      endAll()
    },
    close: async () => {
      endAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function join([client, upstream]: readonly [Socket, Socket]): void {
  client.pipe(upstream)
  upstream.pipe(client)
}

/** What arrives is read and forgotten, in both directions. */
function swallow([client, upstream]: readonly [Socket, Socket]): void {
  client.unpipe(upstream).resume()
  upstream.unpipe(client).resume()
}
