import type { Clock, SliceLedger, StoredRows } from '@smart-whale/interfaces'
import { partitionNotFound, topicNotFound } from '../../errors.ts'
import type { MessagingTransport } from '../../transport.ts'
import { batchDecoder } from '../decode-batch.ts'
import type { PipelineSink } from '../event-types.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import { type LetterIndex, readLetterIndex } from './letter-index.ts'
import { verifyPartition } from './verify-partition.ts'
import type { FindingKind, PartitionVerdict, VerifyFinding, VerifyReport } from './verify-report.ts'

/** What {@link verifyPipeline} compares. */
export interface VerifyOptions {
  /** The pipeline, as it runs: what it makes of an event is what should be stored. @default none, required */
  definition: PipelineDefinition
  /** Where the topic and its dead letters are. @default none, required */
  transport: MessagingTransport
  /** Says up to where each partition is done. @default none, required */
  ledger: Pick<SliceLedger, 'inspect'>
  /** The pipeline's table in each store that it writes to. @default none, required */
  stores: ReadonlyMap<PipelineSink, StoredRows>
  /** Partitions to compare. @default all */
  partitions?: readonly number[] | undefined
  /** First offset to compare, in each partition. @default the first that the topic has */
  from?: bigint | undefined
  /** Offset before which to stop, in each partition. @default the first that is not done */
  to?: bigint | undefined
  /** Whether the content of each row is compared with what the pipeline makes of its event. @default false */
  deep?: boolean | undefined
  /** Offsets that are compared at a time; memory grows with it. @default 50000, or 5000 with `deep` */
  rangeSize?: number | undefined
  /** Told each finding, in the order of partitions and about in that of offsets. @default nobody is told */
  onFinding?: ((finding: VerifyFinding) => void) | undefined
  /** Told after each range which offset comes next: where to go on after an interruption. @default nobody is told */
  onProgress?: ((progress: { readonly partition: number; readonly nextOffset: bigint; readonly to: bigint }) => void) | undefined
  /** By whose time rows expire. @default systemClock */
  clock?: Clock | undefined
  /** Ends the comparison. @default undefined */
  signal?: AbortSignal | undefined
}

/**
 * Compares what a topic offers with what the stores and the dead letters hold, offset by offset: a good event is once in each store
 * that it belongs into, a bad one once in the dead letters, and nothing else is there. Works beside running pipelines: compared is what
 * the ledger had done when it began. Only reads.
 */
export async function verifyPipeline(options: VerifyOptions): Promise<VerifyReport> {
  const { definition, transport, ledger, signal, onFinding = () => {} } = options
  const { topic, name } = definition
  const described = await transport.topics.describe(topic, { signal })
  if (described === null) throw topicNotFound(topic)
  const strange = options.partitions?.find((partition) => partition >= described.partitions)
  if (strange !== undefined) throw partitionNotFound(topic, strange, described.partitions)
  const scopes = Array.from({ length: described.partitions }, (_, partition) => ({ pipeline: name, topicId: described.id, partition }))
  // Before the letters are read: what is done by now has its letters.
  const states = await Promise.all(scopes.map((scope) => ledger.inspect(scope, { signal })))
  const letters = await readLetterIndex(transport, definition, signal)
  const verdicts: PartitionVerdict[] = []
  const counts = new Map<FindingKind, number>()
  const tell = (finding: VerifyFinding): void => {
    counts.set(finding.kind, (counts.get(finding.kind) ?? 0) + finding.offsets)
    onFinding(finding)
  }
  const decode = batchDecoder(definition)
  for (const scope of scopes) {
    if (options.partitions !== undefined && !options.partitions.includes(scope.partition)) continue
    verdicts.push(await verifyPartition({ options, scope, state: states[scope.partition] ?? null, letters, decode, tell }))
  }
  if (options.partitions === undefined) await tellForeignPartitions(options, described.partitions, letters, tell)
  return { pipeline: name, topic, partitions: verdicts, counts: Object.fromEntries(counts), isWhole: counts.size === 0 }
}

/** Rows and letters of partitions that the topic does not have. */
async function tellForeignPartitions({ definition, stores, signal }: VerifyOptions, partitions: number, letters: LetterIndex, tell: (finding: VerifyFinding) => void): Promise<void> {
  const { topic } = definition
  for (const [sink, store] of stores) {
    for (const { partition, rows, firstOffset, lastOffset } of await store.storedPartitions(topic, { signal })) {
      if (partition >= 0 && partition < partitions) continue
      tell({ kind: 'not-in-topic', place: sink, topic, partition, firstOffset, lastOffset, offsets: Number(rows), detail: 'the topic has no such partition' })
    }
  }
  for (const partition of letters.partitions.filter((known) => known >= partitions)) {
    tell({ kind: 'not-in-topic', place: 'dead-letters', topic, partition, firstOffset: 0n, lastOffset: 0n, offsets: 1, detail: 'the topic has no such partition' })
  }
}
