import { type Slice, type SliceState, TAKEN_OVER } from '@smart-whale/interfaces'
import { messagingTimeout, topicNotFound } from '../errors.ts'
import type { GroupMembership, MessagingTransport, PartitionReader } from '../transport.ts'
import { pipelineGroup } from './pipeline-group.ts'
import { metadataOf, stateOf } from './slice-metadata.ts'

/** Whose progress goes to whom. */
export interface GroupTakeover {
  /** The pipeline that has the progress. */
  readonly from: string
  /** The one that goes on from there. */
  readonly to: string
  readonly topic: string
}

/** How progress is taken over. */
export interface TakeOverGroupOptions {
  /** How long to wait for the partitions of both groups, which nobody else may have meanwhile, in milliseconds. @default 60000 */
  timeoutMs?: number | undefined
  /** Gives it up. @default undefined */
  signal?: AbortSignal | undefined
  /**
   * Done while nobody but this call has a partition of either group, behind the progress: the table is given to the other pipeline here, so that workers which
   * come back are refused. @default nothing
   */
  whileHeld?: ((call: { signal: AbortSignal }) => Promise<void>) | undefined
}

/**
 * Has a pipeline whose progress lies with its consumer group go on where another pipeline stands, and answers the partitions: for a pipeline that got
 * another name. Whatever its own group knew is replaced, unless it knows it from an earlier such call. A slice in flight goes along, under the name that it was begun under; the other pipeline finishes it.
 *
 * All partitions of both groups are taken first. A worker that is alive keeps its own, so that this fails; one that hangs or is gone loses them when the group
 * has waited for it as long as it does, and what it commits later is refused by the broker.
 *
 * @throws TimeoutError `ERR_MESSAGING_TIMEOUT` while a worker of either pipeline has partitions
 */
export async function takeOverGroup(transport: MessagingTransport, { from, to, topic }: GroupTakeover, { timeoutMs = 60_000, signal, whileHeld }: TakeOverGroupOptions = {}): Promise<readonly number[]> {
  const description = await transport.topics.describe(topic, { signal })
  if (description === null) throw topicNotFound(topic)
  const { id: topicId, partitions } = description
  const deadline = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])])
  const hold = (pipeline: string): Promise<HeldGroup> => HeldGroup.take(transport, { pipeline, topic, partitions, timeoutMs, signal, deadline })
  await using former = await hold(from)
  await using own = await hold(to)
  const moved: number[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const [state, known] = [await former.state(partition, topicId), await own.state(partition, topicId)]
    if (state === null) continue
    if (!isTakenOver(state, known)) {
      const taken = { ...state, epoch: (known !== null && known.epoch > state.epoch ? known.epoch : state.epoch) + 1n, owner: TAKEN_OVER }
      // Also where it was: a former owner that is asleep looks there, before it sends letters, whether it still is one.
      await former.commit(partition, taken, topicId)
      await own.commit(partition, { ...taken, inFlight: recordedBy(from, taken.inFlight) }, topicId)
    }
    moved.push(partition)
  }
  await whileHeld?.({ signal: deadline })
  return moved
}

/** Whether an earlier call has taken it over: one that was suspended must not undo what the other pipeline has done since. */
function isTakenOver(state: SliceState, known: SliceState | null): boolean {
  return state.owner === TAKEN_OVER && known !== null && known.epoch >= state.epoch
}

/** Taken over twice, a slice still goes by its first name. */
function recordedBy(pipeline: string, slice: Slice | null): Slice | null {
  return slice === null ? null : { ...slice, recordedBy: slice.recordedBy ?? pipeline }
}

/** What a group is taken with. */
interface GroupToHold {
  readonly pipeline: string
  readonly topic: string
  readonly partitions: number
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly deadline: AbortSignal
}

/** A pipeline's group of which this process has every partition. */
class HeldGroup implements AsyncDisposable {
  readonly #membership: GroupMembership
  readonly #readers: ReadonlyMap<number, PartitionReader>

  static async take(transport: MessagingTransport, { pipeline, topic, partitions, timeoutMs, signal, deadline }: GroupToHold): Promise<HeldGroup> {
    const readers = new Map<number, PartitionReader>()
    const all = Promise.withResolvers<void>()
    const onPartition = async (reader: PartitionReader): Promise<void> => {
      readers.set(reader.partition, reader)
      reader.signal.addEventListener('abort', () => readers.get(reader.partition) === reader && readers.delete(reader.partition), { once: true })
      if (readers.size === partitions) all.resolve()
    }
    const membership = await transport.join({ groupId: pipelineGroup(pipeline), topics: [topic], onPartition, signal })
    const ended = AbortSignal.any([deadline, membership.failed])
    const end = (): void => all.reject(membership.failed.aborted || signal?.aborted === true ? ended.reason : stillHeld(pipeline, partitions - readers.size, timeoutMs))
    if (ended.aborted) end()
    ended.addEventListener('abort', end, { once: true })
    try {
      await all.promise
      return new HeldGroup(membership, readers)
    } catch (error) {
      await membership.leave()
      throw error
    }
  }

  private constructor(membership: GroupMembership, readers: ReadonlyMap<number, PartitionReader>) {
    this.#membership = membership
    this.#readers = readers
  }

  /** Where the partition stands; null when the group knows nothing of it, or only of an earlier topic of that name. */
  async state(partition: number, topicId: string): Promise<SliceState | null> {
    const reader = this.#reader(partition)
    const committed = await reader.committed({ signal: reader.signal })
    return committed === null ? null : stateOf(committed, topicId)
  }

  async commit(partition: number, state: SliceState, topicId: string): Promise<void> {
    const reader = this.#reader(partition)
    await reader.commit(state.nextOffset, { metadata: metadataOf(state, topicId), signal: reader.signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#membership.leave()
  }

  /** @throws TimeoutError when somebody else has come for it meanwhile */
  #reader(partition: number): PartitionReader {
    const reader = this.#readers.get(partition)
    if (reader === undefined) throw stillHeld(this.#membership.groupId, 1, 0)
    return reader
  }
}

function stillHeld(pipeline: string, missing: number, waitedMs: number): Error {
  return messagingTimeout(`waiting for ${missing} partitions of the pipeline "${pipeline}", of which a worker seems to run: stop it;`, waitedMs)
}
