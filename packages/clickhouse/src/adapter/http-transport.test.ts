import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ClickHouseConfig } from '../clickhouse-config.ts'
import { type AnswerHeaders, type Ending, HttpTransport, type WholeRequest } from './http-transport.ts'
import { EndReader } from './read-answer.ts'
import type { AnswerReader } from './whole-answer.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function transportTo(answer: Answer): Promise<HttpTransport> {
  const server: Server = createServer((request, response) => void request.resume().on('end', () => answer(request, response)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const connection = new ClickHouseConfig({ url: `http://127.0.0.1:${port}`, user: 'a', password: 'b' }, {}).getConnectionParams()
  const transport = new HttpTransport(connection, { connectTimeoutMs: 30_000, maxConnections: 1, maxQueuedRequests: 10, keepAliveMs: 1000 })
  closing.push(() => transport.close(), () => new Promise((resolve) => server.close(resolve)))
  return transport
}

class Patience implements Ending {
  listener: ((reason: Error) => void) | undefined
  get signal(): AbortSignal {
    return expect.fail('nobody needs a signal')
  }
  onEnd(listener: (reason: Error) => void): void {
    this.listener = listener
  }
}

class TextReader implements AnswerReader<string> {
  readonly seen: AnswerHeaders[] = []
  text = ''
  begin(headers: AnswerHeaders): void {
    this.seen.push(headers)
  }
  take(chunk: Buffer): void {
    if (chunk.includes('poison')) throw new RangeError('refused by its reader')
    this.text += chunk.toString()
  }
  end(broken?: unknown): string {
    if (broken !== undefined) throw broken
    return this.text
  }
}

const request = (ending: Ending = new Patience()): WholeRequest => ({ search: { a: 'b c&d=é\ud83d' }, body: 'SELECT 1', queryId: 'id', ending })

describe('a request whose whole answer is waited for', () => {
  it('carries its search as it is, half a surrogate pair replaced', async () => {
    const transport = await transportTo(({ url = '' }, response) => void response.end(new URL(url, 'http://a').searchParams.get('a')))

    expect(await transport.ask(request(), new TextReader())).toBe('b c&d=é\ufffd')
  })

  it('takes no word of a proxy on the way for the answer', async () => {
    const transport = await transportTo((_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' }, () => response.end('rows'))
    })
    const reader = new TextReader()

    expect(await transport.ask(request(), reader)).toBe('rows')
    expect(reader.seen).toHaveLength(1)
  })

  it('fails with what its reader throws, and the socket serves no other', async () => {
    let served = 0
    const transport = await transportTo((_, response) => {
      if (served++ > 0) return void response.end('next')
      response.write('poison')
    })

    await expect(transport.ask(request(), new TextReader())).rejects.toThrow('refused by its reader')
    expect(await transport.ask(request(), new TextReader())).toBe('next')
  })

  it('given up while it waits for a socket, fails at once and is never sent', async () => {
    let served = 0
    const answers: (() => void)[] = []
    const transport = await transportTo((_, response) => {
      served++
      answers.push(() => void response.end('late'))
    })
    const first = transport.ask(request(), new TextReader())
    const waiting = new Patience()
    const second = transport.ask(request(waiting), new TextReader())
    waiting.listener?.(new RangeError('nobody waits'))
    await expect(second).rejects.toThrow('nobody waits')
    const third = transport.ask(request(), new TextReader())
    await expect.poll(() => answers.length).toBe(1)

    answers[0]?.()
    expect(await first).toBe('late')
    await expect.poll(() => answers.length).toBe(2)
    answers[1]?.()
    expect(await third).toBe('late')
    expect(served).toBe(2)
  })

  it.each([
    ['short', 'Code: 60. DB::Exception: no such table. (UNKNOWN_TABLE)'],
    ['endless', `Code: 60. DB::Exception: no such table. (UNKNOWN_TABLE) ${'x'.repeat(200_000)}`],
  ])('fails with the exception of the server, %s as it is', async (kind, text) => {
    const transport = await transportTo((_, response) => {
      response.writeHead(404, { 'x-clickhouse-exception-code': '60' })
      if (kind === 'short') response.end(text)
      else response.write(text)
    })

    await expect(transport.ask(request(), new TextReader())).rejects.toMatchObject({ message: expect.stringContaining('no such table') as string, retryable: false })
  })

  it('fails with a retryable error when the server leaves in the middle', async () => {
    const transport = await transportTo((_, response) => void response.write('half', () => response.destroy()))

    await expect(transport.ask(request(), new EndReader({ server: 'here', queryId: 'id' }))).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONNECTION', retryable: true })
  })
})
