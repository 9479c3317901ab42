import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What happens to a request on its way: `lost` never reaches the server, `unanswered` is done by the server and not told. */
export type Fate = 'passed' | 'lost' | 'unanswered' | 'bad-gateway'

/** Stands between an adapter and its server, and does to each request what it is told. */
export interface FlakyProxy {
  readonly url: string
  /** Requests that arrived, but for the adapter's question what its user may. */
  readonly requests: string[]
  close(): Promise<void>
}

export async function flakyProxy(target: string, fateOf: (request: string, count: number) => Fate): Promise<FlakyProxy> {
  const requests: string[] = []
  const { hostname, port } = new URL(target)
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const body = Buffer.concat((await incoming.toArray()) as Buffer[])
      const text = `${new URL(incoming.url ?? '', target).searchParams.get('query') ?? ''}${body.toString('latin1')}`
      if (!text.includes("getSetting('readonly')")) requests.push(text)
      const fate = text.includes("getSetting('readonly')") ? 'passed' : fateOf(text, requests.length)
      if (fate === 'lost') return incoming.socket.destroy()
      if (fate === 'bad-gateway') return outgoing.writeHead(502).end('<html>')
      return await forward(incoming, body, outgoing, fate)
    })()
  })

  async function forward(incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse, fate: Fate): Promise<void> {
    const call = request({ hostname, port, path: incoming.url, method: 'POST', headers: { ...incoming.headers, 'content-length': body.length } })
    call.end(body)
    const [answer] = (await once(call, 'response')) as [IncomingMessage]
    const bytes = Buffer.concat((await answer.toArray()) as Buffer[])
    if (fate === 'unanswered') return void incoming.socket.destroy()
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers['x-clickhouse-exception-code'] ? { 'x-clickhouse-exception-code': answer.headers['x-clickhouse-exception-code'] } : {}).end(bytes)
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
