// A member of a group that tests put to sleep: reads one record at a time, works on it for a while, commits, and prints a line for each step.
import { writeSync } from 'node:fs'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'

const [brokers = '', topic = '', groupId = '', workMs = '0'] = process.argv.slice(2)
const say = (line: string): void => void writeSync(1, `${line}\n`)
const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? error)

const transport = createPlatformaticTransport({ brokers: brokers.split(','), sessionTimeoutMs: 2000, heartbeatIntervalMs: 200 })
await transport.start()
await transport.join({
  groupId,
  topics: [topic],
  onPartition: async (reader) => {
    say('begins')
    try {
      while (!reader.signal.aborted) {
        const batch = await reader.read({ maxBytes: 10_000, maxRecords: 1, maxWaitMs: 200 })
        if (batch.length === 0) continue
        say(`read ${batch.offsetAt(0)}`)
        await new Promise((resolve) => setTimeout(resolve, Number(workMs)))
        await reader.commit(batch.nextOffset)
        say(`committed ${batch.nextOffset}`)
      }
    } catch (error) {
      say(`refused ${codeOf(error)}`)
      throw error
    }
  },
})
