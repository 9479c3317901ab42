import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'

const LINK = new URL('./create-kafkajs-connections.ts', import.meta.url).href

/** Closes while the handshake, which nobody answers, is still going on. */
const CHILD = `
  import { createKafkaJsConnections } from ${JSON.stringify(LINK)}
  const port = Number(process.argv[1])
  const connections = createKafkaJsConnections({ brokers: ['127.0.0.1:' + port], tls: {} })
  const asking = connections.request({ host: '127.0.0.1', port }, { apiKey: 18, apiVersion: 0, flexible: false, lane: 'quick', body: [], timeoutMs: 60_000 }).catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 300))
  await connections.close()
  await asking
`

const silent = createServer((socket) => socket.on('error', () => {}))
afterEach(() => void silent.close())

it('lets the process end that closes its connections before one of them stands', async () => {
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const { port } = silent.address() as { port: number }
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module', '-e', CHILD, String(port)], { stdio: ['ignore', 'ignore', 'pipe'] })
  const errors: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const deadline = setTimeout(() => child.kill('SIGKILL'), 60_000)
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(deadline)

  expect({ code, signal, errors: Buffer.concat(errors).toString() }).toEqual({ code: 0, signal: null, errors: '' })
})
