import { describe, it } from 'vitest'
import { SERVICE_CASES } from '../test/service/service-cases.ts'
import { ServiceBench, type ServiceCase } from '../test/service/service-subject.ts'
import { createMemoryBroker, createMemoryTransport } from './memory/index.ts'

async function onMemory({ run }: ServiceCase): Promise<void> {
  const broker = createMemoryBroker()
  const bench = new ServiceBench({ transport: () => createMemoryTransport({ broker }) })
  try {
    await run(bench)
  } finally {
    await bench.end()
    await broker.stop()
  }
}

describe('a service on the memory transport', () => {
  for (const [name, cases] of Object.entries(SERVICE_CASES)) {
    describe(name, () => {
      for (const each of cases) it(each.name, () => onMemory(each))
    })
  }
})
