import { expect, it } from 'vitest'
import { until } from '../test/contract/subject.ts'
import { KafkaService } from './kafka-service.ts'
import { orAborted } from './kafka/or-aborted.ts'
import { createMemoryBroker, createMemoryTransport } from './memory/index.ts'
import type { GroupMembership, MessagingTransport } from './transport.ts'

it('is stopped at once while it joins again at a broker that does not answer, and leaves no member in the group', async () => {
  const broker = createMemoryBroker()
  await broker.start()
  const inner = createMemoryTransport({ broker })
  const gate = Promise.withResolvers<void>()
  const lost = new AbortController()
  let joins = 0
  const join: MessagingTransport['join'] = async (options): Promise<GroupMembership> => {
    joins++
    if (joins > 1) await orAborted(gate.promise, options.signal ?? new AbortController().signal, 'joining')
    const membership = await inner.join(options)
    if (joins > 1) return membership
    // The first one is lost when the test says so.
    await membership.leave()
    return { groupId: options.groupId, memberId: 'first', failed: lost.signal, leave: async () => {} }
  }
  const transport = new Proxy(inner, { get: (target, name) => (name === 'join' ? join : bound(target, name)) })
  const service = new KafkaService(transport)
  await service.connect()
  await service.createTopic('t', 1, 1)
  const handled: unknown[] = []
  await service.subscribe('t', 'g', ({ value }) => void handled.push(value))

  lost.abort(new TypeError('lost'))
  await until('it joins again', () => joins === 2)
  await service.unsubscribe('t', 'g')
  gate.resolve()
  await service.sendMessage('t', 'late')
  const group = inner.join({ groupId: 'g', topics: ['t'], onPartition: async (reader) => void (await reader.read({ maxBytes: 1e6, maxRecords: 1, maxWaitMs: 5_000 }).then((batch) => handled.push(batch.length))) })
  await until('another member has it', () => handled.length > 0)

  expect(handled).toEqual([1])
  await (await group).leave()
  await service.disconnect()
  await broker.stop()
})

function bound(target: object, name: string | symbol): unknown {
  const member: unknown = Reflect.get(target, name, target)
  return typeof member === 'function' ? (member.bind(target) as unknown) : member
}
