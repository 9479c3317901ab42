import { describe, it } from 'vitest'
import { consumptionCases } from '../test/service/consumption-cases.ts'
import { requestCases } from '../test/service/request-cases.ts'
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

describe('requests', () => {
  for (const each of requestCases) it(each.name, () => onMemory(each))
})

describe('consumption', () => {
  for (const each of consumptionCases) it(each.name, () => onMemory(each))
})
