import { OperationError } from '@smart-whale/interfaces'
import { DEAD_LETTER_HEADERS } from '../../dead-letter.ts'
import { messagingError } from '../../errors.ts'
import type { CommitOptions, GroupMembership, JoinOptions, MessagingTransport, OutgoingRecord, PartitionReader, RecordBatch } from '../../transport.ts'
import { endOpenTransactions, hasOpenTransactions, modelTransactional } from './model-transactions.ts'
import type { DeadLetterEntry, World } from './model-world.ts'
import type { ProcessLife } from './process-life.ts'

function batchOf(topic: string, from: number, length: number, valueAt: (offset: number) => Uint8Array, headersAt: (offset: number) => Readonly<Record<string, Uint8Array>>): RecordBatch {
  return {
    topic,
    partition: 0,
    length,
    bytes: length * 40,
    nextOffset: BigInt(from + length),
    offsetAt: (index) => BigInt(from + index),
    timestampAt: () => 0,
    keyAt: () => null,
    valueAt: (index) => valueAt(from + index),
    headersAt: (index) => headersAt(from + index),
  }
}

/** Reads the model's topic; when all of it is done, or the process has died, the partition is revoked. */
export function modelReader(world: World, life: ProcessLife, chunk: number, isDone: () => boolean, pipeline = life.pipeline): PartitionReader {
  const { revoked } = life
  const valueAt = (offset: number): Uint8Array => Buffer.from(world.kinds[offset] === 'undecodable' ? '{"id":' : `{"id":${offset},"time":"2001-01-01T00:00:00Z"${world.kinds[offset] === 'refused-by-definition' ? ',"note":5' : ''}}`)
  let position = 0
  return {
    topic: 'model',
    topicId: 'model-1',
    partition: 0,
    signal: revoked.signal,
    read: async ({ maxRecords }) => {
      await new Promise((resolve) => setImmediate(resolve))
      if (isDone()) revoked.abort()
      if (revoked.signal.aborted) throw new OperationError('revoked')
      const batch = batchOf('model', position, Math.max(0, Math.min(chunk, maxRecords, world.kinds.length - position)), valueAt, () => ({}))
      position += batch.length
      if (batch.length === 0) world.idleReads++
      return batch
    },
    seek: (offset) => {
      position = Number(offset)
    },
    committed: () => life.step(() => world.groups.get(pipeline) ?? null),
    // With PostgreSQL the group's offset is for those who watch the lag, and nothing goes by it.
    commit: async (offset: bigint, { metadata = '' }: CommitOptions = {}) => {
      if (metadata === '') {
        await life.step(() => {
          if (life.generation !== world.members.get(pipeline)) throw messagingError('ERR_MESSAGING_FENCED', 'taken')
          world.groups.set(pipeline, { offset, metadata })
        })
        return
      }
      const issued = world.groupCommits
      await life.step(() => {
        if (life.generation !== world.members.get(pipeline)) throw messagingError('ERR_MESSAGING_FENCED', 'taken')
        // It was held up, and undoes those that were sent after it.
        if (world.groupCommits !== issued) world.hasLostCommits = true
        world.groupCommits++
        world.groups.set(pipeline, { offset, metadata })
      }, { neverLate: !world.mayLoseCommits })
    },
    bounds: async () => ({ earliest: 0n, latest: BigInt(world.kinds.length) }),
    close: async () => {},
  }
}

/** The broker, as far as dead letters go. */
export function modelTransport(world: World, life: ProcessLife): MessagingTransport {
  const entryOf = ({ headers = {} }: OutgoingRecord): DeadLetterEntry => {
    const bytes = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]))
    return { offset: BigInt(Buffer.from(headers[DEAD_LETTER_HEADERS.offset] ?? '').toString()), headers: bytes }
  }
  const topics = { describe: async (name: string) => ({ name, id: name === 'model' ? 'model-1' : 'dlq', partitions: 1, replication: 1, configs: {} }) }
  const join = async ({ groupId, onPartition }: JoinOptions): Promise<GroupMembership> => {
    const pipeline = groupId.replace('smart-whale-', '')
    await life.step(() => life.join(pipeline))
    await onPartition(modelReader(world, life, 1, () => false, pipeline))
    return { groupId, memberId: String(life.generation), failed: new AbortController().signal, leave: async () => {} }
  }
  return { topics, join, transactional: (id: string) => modelTransactional(world, life, id, entryOf), openPartition: async () => letterReader(world, life) } as unknown as MessagingTransport
}

/** More reads than this behind an open transaction, and the broker ends it: seconds. */
const MOST_IDLE_READS = 5

function letterReader(world: World, life: ProcessLife): Pick<PartitionReader, 'partition' | 'bounds' | 'seek' | 'read' | 'close'> {
  const letters = world.deadLetters
  const all = (): RecordBatch => batchOf('model.dlq', 0, letters.length, () => Buffer.of(), (offset) => letters[offset]?.headers ?? {})
  let idleReads = 0
  return {
    partition: 0,
    // An open transaction hides what lies behind it; here one offset stands for all of it.
    bounds: ({ withOpen = false } = {}) => life.step(() => ({ earliest: 0n, latest: BigInt(letters.length + (withOpen && hasOpenTransactions(world) ? 1 : 0)) })),
    seek: () => {},
    read: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      if (hasOpenTransactions(world)) {
        if (++idleReads <= MOST_IDLE_READS) return all()
        if (endOpenTransactions(world, life)) world.endedByBroker++
      }
      // The ends of transactions have offsets as well.
      return { ...all(), nextOffset: BigInt(letters.length) + 1n }
    },
    close: async () => {},
  }
}
