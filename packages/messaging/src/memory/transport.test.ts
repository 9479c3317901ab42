import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { transportContract, type TransportSubject } from '../../test/contract/transport-contract.ts'
import type { MessagingTransport } from '../transport.ts'
import { createMemoryBroker } from './broker.ts'
import type { MemoryBrokerOptions } from './options.ts'
import { createMemoryTransport, type MemoryTransport } from './transport.ts'

async function withSubject(options: MemoryBrokerOptions, run: (subject: TransportSubject) => Promise<void>): Promise<void> {
  const broker = createMemoryBroker(options)
  const transports: MessagingTransport[] = []
  const connect = async (): Promise<MessagingTransport> => {
    const transport = createMemoryTransport({ broker })
    transports.push(transport)
    await transport.start()
    return transport
  }
  try {
    await run({ connect, crash: (transport) => (transport as MemoryTransport).crash() })
  } finally {
    for (const transport of transports) await transport.stop()
    await broker.stop()
  }
}

describe('memory transport', () => {
  for (const { name, run } of transportContract) it(name, () => withSubject({}, run))
})

describe('memory transport with its log on disk', () => {
  for (const { name, run } of transportContract) {
    it(name, async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'smart-whale-log-'))
      try {
        await withSubject({ dataDir, segmentBytes: 4_000 }, run)
      } finally {
        await rm(dataDir, { recursive: true })
      }
    })
  }
})
