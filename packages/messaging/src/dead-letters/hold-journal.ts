import { deadLetterTopic } from '../dead-letter.ts'
import { messagingError } from '../errors.ts'
import type { MessagingTransport, PartitionReader, TransportCallOptions } from '../transport.ts'
import { journalTopic, ReplayJournal } from './replay-journal.ts'

/** As long as another replay may need to notice that it is over. */
const ASSIGNMENT_TIMEOUT_MS = 30_000

/**
 * Works on the journal of a topic while nobody else does: its one partition belongs to one member of a group at a time. The work gets a call
 * whose signal aborts when the journal is lost.
 *
 * @throws OperationError `ERR_MESSAGING_REPLAY_BUSY` when another one has it
 * @throws OperationError `ERR_MESSAGING_REVOKED` when it was lost in the middle
 */
export async function holdJournal<T>(transport: MessagingTransport, topic: string, call: TransportCallOptions, work: (journal: ReplayJournal, call: TransportCallOptions) => Promise<T>): Promise<T> {
  const name = journalTopic(topic)
  const replication = (await transport.topics.describe(deadLetterTopic(topic), call))?.replication ?? 1
  // Kept for good: it says who did what, and a letter that it forgets would be sent again.
  await transport.topics.create(name, { partitions: 1, replication, configs: { 'retention.ms': '-1', 'retention.bytes': '-1' } }, call)
  const assigned = Promise.withResolvers<PartitionReader>()
  const finished = Promise.withResolvers<void>()
  const membership = await transport.join({
    groupId: `smart-whale-replay.${topic}`,
    topics: [name],
    onPartition: async (reader) => {
      assigned.resolve(reader)
      await finished.promise
    },
    signal: call.signal,
  })
  try {
    const reader = await assignedInTime(assigned.promise, topic)
    const signal = call.signal === undefined ? reader.signal : AbortSignal.any([call.signal, reader.signal])
    const held = { ...call, signal }
    return await untilRevoked(reader, (async () => work(await ReplayJournal.open(transport, reader, held), held))())
  } finally {
    finished.resolve()
    await membership.leave()
  }
}

async function assignedInTime(assigned: Promise<PartitionReader>, topic: string): Promise<PartitionReader> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(messagingError('ERR_MESSAGING_REPLAY_BUSY', `another replay of the dead letters of "${topic}" is running: wait until it has ended`, { retryable: true, status: 409 })), ASSIGNMENT_TIMEOUT_MS)
  })
  try {
    return await Promise.race([assigned, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The work's outcome, unless the journal is lost before. */
async function untilRevoked<T>({ signal }: PartitionReader, work: Promise<T>): Promise<T> {
  const lost = Promise.withResolvers<never>()
  const onAbort = (): void => lost.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, lost.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    work.catch(() => {})
  }
}
