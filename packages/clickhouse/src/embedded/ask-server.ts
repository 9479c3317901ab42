import { request } from 'node:http'
import type { EmbeddedAccount } from './start-options.ts'

/** What the launcher itself asks of the server; never throws for an answer, only for none. */
export async function askServer(port: number, path: string, query: { text: string; account: EmbeddedAccount } | undefined, timeoutMs: number): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    // No agent: a kept-alive connection of ours would hold up the server's end by five seconds.
    const call = request({ host: '127.0.0.1', port, path, method: query ? 'POST' : 'GET', agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8').trim() }))
      response.on('error', reject)
    })
    call.on('error', reject)
    if (query) {
      call.setHeader('x-clickhouse-user', query.account.username)
      call.setHeader('x-clickhouse-key', query.account.password)
    }
    call.end(query?.text)
  })
}
