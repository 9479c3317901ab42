import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { findFreePorts } from './free-ports.ts'

describe('findFreePorts', () => {
  it('answers ports that can be listened on, each another, below those of outgoing connections', async () => {
    const ports = await findFreePorts(20)

    expect(new Set(ports).size).toBe(20)
    for (const port of ports) {
      expect(port).toBeLessThan(32_768)
      const server = createServer()
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
      await new Promise((resolve) => server.close(resolve))
    }
  })
})
