// A process that tests kill: sends or measures, and prints one line for each thing that it was told is done.
import { writeSync } from 'node:fs'
import { createMemoryTransport } from '../../src/memory/index.ts'

const [task = '', dataDir = '', count = '0'] = process.argv.slice(2)
const say = (line: string): void => void writeSync(1, `${line}\n`)

if (task === 'send') await sendForever()
if (task === 'measure') await measure(Number(count))
if (task === 'open') await open()

/** Sends batches until it is killed; prints `<partition> <offset> <value>` for each record that was acknowledged. */
async function sendForever(): Promise<void> {
  const transport = createMemoryTransport({ dataDir, segmentBytes: 20_000 })
  await transport.start()
  await transport.topics.create('killed', { partitions: 3 })
  let next = Number(count)
  const one = async (): Promise<void> => {
    for (;;) {
      const values = Array.from({ length: 1 + (next % 7) }, () => `value ${next++}`)
      const positions = await transport.send('killed', values.map((value) => ({ value })))
      say(positions.map(({ partition, offset }, i) => `${partition} ${offset} ${values[i]}`).join('\n'))
    }
  }
  const committing = async (): Promise<void> => {
    await transport.join({
      groupId: 'killed',
      topics: ['killed'],
      onPartition: async (reader) => {
        while (!reader.signal.aborted) {
          const batch = await reader.read({ maxBytes: 10_000, maxRecords: 50, maxWaitMs: 1_000 })
          await reader.commit(batch.nextOffset)
          say(`committed ${reader.partition} ${batch.nextOffset}`)
        }
      },
    })
  }
  await committing()
  await Promise.all([one(), one(), one()])
}

/** Sends and reads many records; prints how long opening took and how much memory it took at most, beyond what an idle one has. */
async function measure(records: number): Promise<void> {
  const transport = createMemoryTransport({ dataDir })
  await transport.start()
  const rssAtStart = process.memoryUsage.rss()
  await transport.topics.create('measured', { partitions: 4 })
  const value = 'x'.repeat(110)
  for (let sent = 0; sent < records; sent += 1_000) {
    await transport.send('measured', Array.from({ length: 1_000 }, (_, i) => ({ key: String(sent + i), value })))
  }
  await transport.stop()
  const began = performance.now()
  await transport.start()
  const openMs = performance.now() - began
  let read = 0
  const readFrom = performance.now()
  for (let partition = 0; partition < 4; partition++) {
    const reader = await transport.openPartition('measured', partition)
    for (let length = -1; length !== 0; read += length) {
      length = (await reader.read({ maxBytes: 1_000_000, maxRecords: 100_000, maxWaitMs: 0 })).length
    }
  }
  const readMs = performance.now() - readFrom
  await transport.stop()
  say(JSON.stringify({ openMs, readMs, read, grewBytes: process.resourceUsage().maxRSS * 1024 - rssAtStart }))
}

/** Takes the folder and keeps it until killed. */
async function open(): Promise<void> {
  await createMemoryTransport({ dataDir }).start()
  say('open')
  setInterval(() => {}, 1_000)
}
