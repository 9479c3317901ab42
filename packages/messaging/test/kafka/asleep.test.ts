import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { collector, until } from '../contract/subject.ts'

const kafka = inject('kafka')
const CHILD = fileURLToPath(new URL('../support/kafka-member-child.ts', import.meta.url))

const children: ChildProcess[] = []
const transports: KafkaTransport[] = []
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(transports.splice(0).map((transport) => transport.stop()))
})

/** A member in a process of its own, and the lines that it prints. */
function startMember(...args: string[]): { child: ChildProcess; lines: () => string[] } {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  let printed = ''
  child.stdout?.on('data', (data: Buffer) => (printed += data.toString()))
  return { child, lines: () => printed.split('\n').filter(Boolean) }
}

it.skipIf(process.platform === 'win32')('takes nothing and commits nothing any more after it was asleep for longer than its session', async (context) => {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const { brokers } = kafka.found
  const transport = createPlatformaticTransport({ brokers, sessionTimeoutMs: 30_000, heartbeatIntervalMs: 200 })
  transports.push(transport)
  await transport.start()
  const [topic, groupId] = [`asleep.${randomUUID()}`, randomUUID()]
  await transport.topics.create(topic, { partitions: 1 })
  await transport.send(topic, Array.from({ length: 50 }, (_, index) => ({ value: String(index) })))

  // It is put to sleep with records in its hands: those that it works on, and those that were fetched ahead.
  const { child, lines } = startMember(brokers.join(','), topic, groupId, '300')
  await until('the member is at work', () => lines().includes('committed 2'))
  child.kill('SIGSTOP')
  const heir = collector()
  await transport.join({ groupId, topics: [topic], onPartition: heir.onPartition })
  await until('the heir has read and committed the rest', async () => (await transport.groupLag(groupId, topic))[0]?.committed === 50n)
  // Whatever it had printed before it fell asleep is here by now.
  const before = lines().length
  child.kill('SIGCONT')
  await until('the sleeper has found out', () => lines().some((line) => line.startsWith('refused')))

  const afterwards = lines().slice(before)
  // It begins where the sleeper had committed, which may not have come to printing that.
  const committed = BigInt(lines().slice(0, before).filter((line) => line.startsWith('committed')).length)
  expect([committed, committed + 1n]).toContain(heir.records[0]?.offset)
  expect(afterwards.filter((line) => line.startsWith('read'))).toEqual([])
  expect(afterwards.filter((line) => line.startsWith('committed'))).toEqual([])
  expect(afterwards[0]).toMatch(/^refused ERR_MESSAGING_(FENCED|REVOKED)$/)
  expect((await transport.groupLag(groupId, topic))[0]?.committed).toBe(50n)
})
