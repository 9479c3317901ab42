import assert from 'node:assert/strict'
import { InfrastructureError } from '@smart-whale/interfaces'
import type { KafkaConnectionOptions } from '../../src/kafka/connections/connection-options.ts'
import type { KafkaApi, KafkaConnections, KafkaTarget } from '../../src/kafka/kafka-api.ts'
import { createKafkaApi } from '../../src/kafka/protocol/create-kafka-api.ts'

/** What the suites run against. */
export interface ConnectionSubject {
  readonly create: (options: KafkaConnectionOptions) => KafkaConnections
  /** A broker's plain listener. */
  readonly broker: KafkaTarget
  /** An empty topic of one partition. */
  readonly topicId: string
}

/** One thing that every library's connections must do. */
export interface ConnectionCase<Subject = ConnectionSubject> {
  readonly name: string
  run(subject: Subject): Promise<void>
}

/** For what is answered, or refused, at once; a busy machine takes its time. */
export const SOON = { timeoutMs: 60_000 }

/** Connections to one address, closed when the work is done; then nothing of them is left. */
export async function withConnections<T>(
  subject: Pick<ConnectionSubject, 'create'>,
  target: KafkaTarget,
  options: Partial<KafkaConnectionOptions>,
  work: (api: KafkaApi, connections: KafkaConnections) => Promise<T>,
): Promise<T> {
  const connections = subject.create({ brokers: [`${target.host}:${target.port}`], ...options })
  try {
    return await work(createKafkaApi(connections), connections)
  } finally {
    await connections.close()
  }
}

/** The error that a promise rejects with; it has to, and with one of ours. */
export async function failureOf(work: Promise<unknown>): Promise<InfrastructureError> {
  const outcome: unknown = await work.then(
    () => assert.fail('it should have been refused'),
    (error: unknown) => error,
  )
  if (InfrastructureError.isInstance(outcome)) return outcome
  throw outcome
}

/** Makes an empty topic; resolves when it has a leader. */
export async function makeEmptyTopic(api: KafkaApi, broker: KafkaTarget, topic: string): Promise<string> {
  const { errorCode } = await api.createTopic(broker, { topic, partitions: 1, replication: 1, configs: {} }, SOON)
  assert.equal(errorCode, 0)
  const deadline = performance.now() + SOON.timeoutMs
  for (;;) {
    const { errorCode: notYet } = await api.listOffsets(broker, { topic, partition: 0, timestamp: -1n, leaderEpoch: -1 }, SOON)
    if (notYet === 0) break
    assert.ok(performance.now() < deadline, `topic ${topic} has no leader yet: ${notYet}`)
  }
  const { topics } = await api.metadata(broker, [topic], SOON)
  return topics[0]?.id ?? assert.fail('the topic is not there')
}

const DEADLINE_MS = 60_000

/** Waits until no socket is open; says how many timers are set then. */
export async function whenQuiet(): Promise<number> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const kinds = process.getActiveResourcesInfo()
    const sockets = kinds.filter((kind) => /^(TCPSocketWrap|TLSWrap|TCPConnectWrap|GetAddrInfoReqWrap)$/.test(kind))
    if (sockets.length === 0) return kinds.filter((kind) => kind === 'Timeout').length
    if (performance.now() > deadline) assert.fail(`these are still open: ${sockets.join(', ')}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Fails when more timers stay set than were: the test runner sets some for a moment. */
export async function assertQuiet(timers: number): Promise<void> {
  let left = await whenQuiet()
  for (const deadline = performance.now() + DEADLINE_MS; left > timers; left = await whenQuiet()) {
    if (performance.now() > deadline) assert.fail(`${left} timers are set, where ${timers} were before`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
