import type { MetricsSink } from '@smart-whale/interfaces'
import type { MessagingTransport } from './transport.ts'

/** How far a group is behind in one partition. */
export interface ConsumerPartitionLag {
  readonly partition: number
  /** Null when the group has committed nothing here; it is then behind by all that is there. */
  readonly committed: bigint | null
  /** The offset that the next record will get. */
  readonly latest: bigint
  /** Offsets from the first record that is not done to the end: 0 where only the ends of transactions follow, and what they took back. */
  readonly lag: bigint
}

/** How far a group is behind in a topic. */
export interface ConsumerLag {
  readonly topic: string
  readonly groupId: string
  readonly total: bigint
  readonly partitions: readonly ConsumerPartitionLag[]
}

/** Asks the broker how far a group is behind, and sets the gauge. */
export async function consumerLag(transport: MessagingTransport, metrics: MetricsSink, topic: string, groupId: string, timeoutMs: number): Promise<ConsumerLag> {
  const found = await transport.groupLag(groupId, topic, { timeoutMs })
  const partitions = found.map(({ partition, committed, latest, lag }): ConsumerPartitionLag => ({ partition, committed, latest, lag }))
  const gauge = metrics.gauge({ name: 'smart_whale_consumer_lag', help: 'Offsets that a group has not done yet', labelNames: ['topic', 'group', 'partition'] })
  for (const { partition, lag } of partitions) gauge.set({ topic, group: groupId, partition }, Number(lag))
  return { topic, groupId, total: partitions.reduce((sum, { lag }) => sum + lag, 0n), partitions }
}
