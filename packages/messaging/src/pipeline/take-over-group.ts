import { OperationError, type SliceState } from '@smart-whale/interfaces'
import { messagingTimeout, topicNotFound } from '../errors.ts'
import type { MessagingTransport, PartitionReader } from '../transport.ts'
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

/** How long it may take. */
export interface TakeOverGroupOptions {
  /** How long to wait for the group's partitions, which nobody else may have meanwhile, in milliseconds. @default 30000 */
  timeoutMs?: number | undefined
  /** Gives it up. @default undefined */
  signal?: AbortSignal | undefined
}

/**
 * Has a pipeline whose progress lies with its consumer group go on where another pipeline stands, and answers the partitions: for a pipeline that got
 * another name. A partition of which its own group knows something is left alone.
 *
 * @throws OperationError `ERR_MESSAGING_SLICE_IN_FLIGHT` when a slice was being written, which is known by the pipeline's name
 * @throws TimeoutError `ERR_MESSAGING_TIMEOUT` while a worker of the pipeline has the partitions
 */
export async function takeOverGroup(transport: MessagingTransport, { from, to, topic }: GroupTakeover, { timeoutMs = 30_000, signal }: TakeOverGroupOptions = {}): Promise<readonly number[]> {
  const topicId = (await transport.topics.describe(topic, { signal }))?.id
  if (topicId === undefined) throw topicNotFound(topic)
  const [before, own] = await Promise.all([from, to].map((pipeline) => statesOf(transport, pipeline, { topic, topicId, signal })))
  const moved = new Map([...(before ?? [])].filter(([partition]) => own?.has(partition) !== true))
  for (const [partition, { inFlight }] of moved) if (inFlight !== null) throw inFlightError(from, partition)
  if (moved.size === 0) return []
  const left = new Set(moved.keys())
  const done = Promise.withResolvers<void>()
  const commit = async (reader: PartitionReader): Promise<void> => {
    const state = moved.get(reader.partition)
    if (state === undefined || !left.has(reader.partition)) return
    const taken = { ...state, epoch: state.epoch + 1n, owner: 'taken over' }
    await reader.commit(taken.nextOffset, { metadata: metadataOf(taken, topicId), signal: reader.signal })
    left.delete(reader.partition)
    if (left.size === 0) done.resolve()
  }
  const deadline = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])])
  const membership = await transport.join({ groupId: pipelineGroup(to), topics: [topic], onPartition: commit, signal })
  try {
    const ended = AbortSignal.any([deadline, membership.failed])
    ended.addEventListener('abort', () => done.reject(membership.failed.aborted || signal?.aborted === true ? ended.reason : stillHeld(to, left, timeoutMs)), { once: true })
    await done.promise
  } finally {
    await membership.leave()
  }
  return [...moved.keys()].sort((one, other) => one - other)
}

/** Where the partitions of a pipeline stand that its group knows of. */
async function statesOf(transport: MessagingTransport, pipeline: string, { topic, topicId, signal }: { topic: string; topicId: string; signal: AbortSignal | undefined }): Promise<ReadonlyMap<number, SliceState>> {
  const lags = await transport.groupLag(pipelineGroup(pipeline), topic, { signal })
  const known = lags.flatMap(({ partition, committed, metadata }): [number, SliceState][] => {
    const state = committed === null ? null : stateOf({ offset: committed, metadata: metadata ?? '' }, topicId)
    return state === null ? [] : [[partition, state]]
  })
  return new Map(known)
}

function inFlightError(pipeline: string, partition: number): OperationError {
  return new OperationError(`a slice of the pipeline "${pipeline}" is being written in partition ${partition}, or was when it ended: let it finish under that name, then stop it`, {
    code: 'ERR_MESSAGING_SLICE_IN_FLIGHT',
    status: 409,
    context: { pipeline, partition },
  })
}

function stillHeld(pipeline: string, partitions: ReadonlySet<number>, waitedMs: number): Error {
  return messagingTimeout(`taking over partitions ${[...partitions].join(', ')} for the pipeline "${pipeline}", of which another worker seems to run: stop it;`, waitedMs)
}
