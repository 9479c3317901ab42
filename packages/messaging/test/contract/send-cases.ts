import assert from 'node:assert/strict'
import { makeTopic, plain, READ, readTopic, rejectsWith, type TransportCase } from './subject.ts'

/** Sends that are large, or that many make at a time. */
export const sendCases: readonly TransportCase[] = [
  {
    name: 'takes many times more at once than goes in one request, in its order',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const filling = 'x'.repeat(200_000)

      const positions = await transport.send(topic, Array.from({ length: 60 }, (_, index) => ({ key: String(index), value: filling, partition: 0 })))
      const reader = await transport.openPartition(topic, 0)
      const keys: (string | null)[] = []
      while (keys.length < 60) keys.push(...plain(await reader.read({ ...READ, maxWaitMs: 5_000 })).map(({ key }) => key))

      assert.deepEqual(keys, Array.from({ length: 60 }, (_, index) => String(index)))
      assert.deepEqual(positions, keys.map((_, index) => ({ partition: 0, offset: BigInt(index) })))
    },
  },
  {
    name: 'stores everything once that many senders send at a time, each at the place that it was told',
    async run(subject) {
      const transports = [await subject.connect(), await subject.connect(), await subject.connect()]
      const topic = await makeTopic(transports[0] as (typeof transports)[0], { partitions: 3 })

      const sends = Array.from({ length: 300 }, async (_, index) => {
        const transport = transports[index % 3] as (typeof transports)[0]
        const [position] = await transport.send(topic, [{ key: `k${index % 20}`, value: String(index) }])
        return `${position?.partition}/${position?.offset}=${index}`
      })
      const told = await Promise.all(sends)
      const found = (await readTopic(transports[0] as (typeof transports)[0], topic)).map(({ partition, offset, value }) => `${partition}/${offset}=${value}`)

      assert.deepEqual(told.sort(), found.sort())
    },
  },
  {
    name: 'sends what others send although one of them gives up at once',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const caller = new AbortController()

      const given = transport.send(topic, [{ value: 'given up' }], { signal: caller.signal })
      const kept = transport.send(topic, [{ value: 'kept' }])
      caller.abort()
      const outcome = await given.then(() => 'stored', (error: { code: string; unknown?: readonly number[] }) => error)
      await kept

      const values = (await readTopic(transport, topic)).map(({ value }) => value)
      assert.ok(values.includes('kept'))
      // Whoever is told that nothing is stored must be right.
      if (typeof outcome === 'object' && outcome.unknown === undefined) assert.deepEqual(values, ['kept'])
      await rejectsWith('ERR_ABORTED', transport.send(topic, [{ value: 'never' }], { signal: AbortSignal.abort() }))
    },
  },
]
