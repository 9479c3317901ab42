import { topicNotFound } from '../errors.ts'
import type { MessagingTransport } from '../transport.ts'
import { nextRecordOf } from './next-record.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import type { PipelineProgress } from './pipeline-progress.ts'

/** How far a pipeline is behind in one partition. */
export interface PartitionPipelineLag {
  readonly partition: number
  /** First offset that is not in every store; null when nothing of the partition was ever claimed. */
  readonly nextOffset: bigint | null
  /** The offset that the next record will get. */
  readonly latest: bigint
  /** Offsets up to there, from the next record on: 0 where only transactions that were taken back, or their ends, follow. */
  readonly lag: bigint
  /** The worker that has it, or had it last. */
  readonly owner: string | null
  readonly inFlight: { readonly firstOffset: bigint; readonly lastOffset: bigint } | null
}

/** How far a pipeline is behind its topic. */
export interface PipelineLag {
  readonly pipeline: string
  readonly topic: string
  readonly total: bigint
  readonly partitions: readonly PartitionPipelineLag[]
}

/** What {@link readPipelineLag} asks. */
export interface PipelineLagOptions {
  /** The pipeline. @default none, required */
  definition: Pick<PipelineDefinition, 'name' | 'topic'>
  /** Where its topic is. @default none, required */
  transport: Pick<MessagingTransport, 'topics' | 'openPartition'>
  /** Where its partitions stand. @default none, required */
  progress: PipelineProgress
  /** Gives it up. @default undefined */
  signal?: AbortSignal | undefined
}

/** Reads how far a pipeline is behind, from outside: whoever runs it, and also when nobody does. @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND` */
export async function readPipelineLag({ definition, transport, progress, signal }: PipelineLagOptions): Promise<PipelineLag> {
  const { name, topic } = definition
  const described = await transport.topics.describe(topic, { signal })
  if (described === null) throw topicNotFound(topic)
  const partitions = await Promise.all(
    Array.from({ length: described.partitions }, async (_, partition): Promise<PartitionPipelineLag> => {
      const state = await progress.inspect({ pipeline: name, topic, topicId: described.id, partition }, { signal })
      const { inFlight = null } = state ?? {}
      return {
        partition,
        nextOffset: state?.nextOffset ?? null,
        ...(await whatIsLeft(transport, { topic, partition, nextOffset: state?.nextOffset ?? 0n, signal })),
        owner: state?.owner ?? null,
        inFlight: inFlight === null ? null : { firstOffset: inFlight.firstOffset, lastOffset: inFlight.lastOffset },
      }
    }),
  )
  return { pipeline: name, topic, total: partitions.reduce((sum, { lag }) => sum + lag, 0n), partitions }
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly nextOffset: bigint
  readonly signal: AbortSignal | undefined
}

async function whatIsLeft(transport: Pick<MessagingTransport, 'openPartition'>, { topic, partition, nextOffset, signal }: Place): Promise<Pick<PartitionPipelineLag, 'latest' | 'lag'>> {
  const reader = await transport.openPartition(topic, partition, { signal })
  try {
    const { earliest, latest } = await reader.bounds({ signal })
    const from = nextOffset < earliest ? earliest : nextOffset
    const next = await nextRecordOf(reader, from, latest, signal)
    return { latest, lag: latest > next ? latest - next : 0n }
  } finally {
    await reader.close()
  }
}
