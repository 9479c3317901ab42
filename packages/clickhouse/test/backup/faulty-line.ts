import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What is done to one request: an answer of the line's own, silence, a broken connection, or the server's answer up to some byte and then one of these. */
export type Fault =
  | { readonly status: number; readonly text?: string; readonly headers?: Record<string, string> }
  | 'silence'
  | 'break'
  | { readonly after: number; readonly then: 'silence' | 'break' }

/** A line to a real server that fails as it is told to, a request at a time; requests that nothing is planned for go through. */
export interface FaultyLine extends AsyncDisposable {
  readonly address: string
  /** What the next requests meet with. */
  readonly plan: (Fault | 'pass')[]
  /** What came: `GET /bucket/…`, and its headers. */
  readonly requests: { readonly line: string; readonly headers: IncomingMessage['headers'] }[]
  /** Waits until no answer is under way; whether that came. */
  idle(): Promise<boolean>
}

const IDLE_MS = 60_000
/** For what was written to arrive before the connection breaks. */
const LAST_BYTES_MS = 20

export async function faultyLine(upstream: string): Promise<FaultyLine> {
  const plan: FaultyLine['plan'] = []
  const requests: FaultyLine['requests'] = []
  let underWay = 0
  const server = createServer((incoming, answer) => {
    underWay += 1
    answer.on('close', () => (underWay -= 1))
    requests.push({ line: `${incoming.method} ${incoming.url}`, headers: incoming.headers })
    const fault = plan.shift() ?? 'pass'
    if (fault === 'pass' || (typeof fault === 'object' && 'after' in fault)) return pass(upstream, incoming, answer, fault === 'pass' ? undefined : fault)
    incoming.resume()
    if (fault === 'break') answer.destroy()
    else if (fault !== 'silence') incoming.on('end', () => answer.writeHead(fault.status, fault.headers).end(fault.text))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    plan,
    requests,
    idle: async () => {
      for (const end = Date.now() + IDLE_MS; underWay > 0 && Date.now() < end; ) await sleep(10)
      return underWay === 0
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The host's name goes through as it came: it is signed. */
function pass(upstream: string, incoming: IncomingMessage, answer: ServerResponse, cut: { readonly after: number; readonly then: 'silence' | 'break' } | undefined): void {
  const { hostname, port } = new URL(upstream)
  const onward = request({ host: hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (found) => {
    answer.writeHead(found.statusCode ?? 500, found.headers)
    if (cut === undefined) return void found.pipe(answer)
    const end = (): void => void (cut.then === 'break' && setTimeout(() => answer.destroy(), LAST_BYTES_MS))
    let left = cut.after
    found.on('data', (chunk: Buffer) => {
      if (left > 0) answer.write(chunk.subarray(0, left))
      if (left > 0 && chunk.length >= left) end()
      left -= chunk.length
    })
    found.on('end', end)
  })
  onward.on('error', () => answer.destroy())
  answer.on('close', () => onward.destroy())
  incoming.pipe(onward)
}
