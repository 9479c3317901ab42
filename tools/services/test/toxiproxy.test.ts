import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { startToxiproxy, type Toxiproxy } from '../src/index.ts'
import { startOr } from './start-or-skip.ts'

const LIMIT_MS = 300

describe('startToxiproxy', () => {
  let toxiproxy: Toxiproxy | undefined
  let lack = ''
  let server: Server
  beforeAll(async () => {
    server = createServer((_request, response) => response.end('here'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ;({ started: toxiproxy, lack } = await startOr(() => startToxiproxy()))
  }, 360_000)
  afterAll(async () => {
    await toxiproxy?.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const lineOf = (context: TestContext) => {
    if (toxiproxy === undefined) return context.skip(`needs Toxiproxy: ${lack}`)
    return toxiproxy.createLine(`127.0.0.1:${(server.address() as { port: number }).port}`)
  }

  /** Over a connection of its own: one that is kept from before would not be a new one. */
  async function ask(address: string): Promise<string> {
    const answer = fetch(`http://${address}/`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(LIMIT_MS) })
    return answer.then((found) => found.text()).catch((error: Error) => (error.name === 'TimeoutError' ? 'silence' : 'refused'))
  }

  it('cuts a line and mends it', async (context) => {
    const line = await lineOf(context)
    expect(await ask(line.address)).toBe('here')

    await line.cut()
    expect(await ask(line.address)).toBe('refused')
    await line.mend()

    expect(await ask(line.address)).toBe('here')
  })

  it('makes a line a black hole and mends it', async (context) => {
    const line = await lineOf(context)

    await line.blackHole()
    expect(await ask(line.address)).toBe('silence')
    await line.mend()

    expect(await ask(line.address)).toBe('here')
  })

  it('takes a line away', async (context) => {
    const line = await lineOf(context)

    await line.remove()

    expect(await ask(line.address)).toBe('refused')
  })
})
