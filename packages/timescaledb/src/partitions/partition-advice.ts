import { formatTimeInterval } from '../time-series/time-interval.ts'
import { adviseLonger } from './choose-interval.ts'
import type { PartitionInfo } from './list-partitions.ts'

/** How many partitions there are, how big, and what would be better. */
export interface PartitionAdvice {
  readonly partitions: number
  readonly averageBytes: bigint
  /** An interval that would serve better, with the reason; `null` when the present one is fine. */
  readonly advice: { readonly chunkInterval: string; readonly reason: string } | null
}

const LARGE_BYTES = 20n * 1024n ** 3n
const SMALL_BYTES = 1024n ** 2n

/** Whether partitions are of a good size, for a table that may have so many. */
export function adviseOn(partitions: readonly PartitionInfo[], maxPartitions: number): PartitionAdvice {
  const bytes = partitions.reduce((sum, partition) => sum + partition.bytes, 0n)
  const averageBytes = partitions.length === 0 ? 0n : bytes / BigInt(partitions.length)
  return { partitions: partitions.length, averageBytes, advice: adviceFor(partitions, averageBytes, maxPartitions) }
}

function adviceFor(partitions: readonly PartitionInfo[], averageBytes: bigint, maxPartitions: number): PartitionAdvice['advice'] {
  const [first] = partitions
  if (!first?.from || !first.to) return null
  const interval = { months: 0, milliseconds: first.to.getTime() - first.from.getTime() }
  const many = partitions.length > maxPartitions / 2
  if (many && averageBytes < LARGE_BYTES / 10n) {
    return { chunkInterval: adviseLonger(interval, 4), reason: `${partitions.length} partitions make plans slow; fewer, longer ones would do` }
  }
  if (partitions.length > 50 && averageBytes < SMALL_BYTES) {
    return { chunkInterval: adviseLonger(interval, 10), reason: 'the partitions are almost empty; longer ones would do' }
  }
  if (averageBytes <= LARGE_BYTES) return null
  const shorter = formatTimeInterval({ months: 0, milliseconds: Math.max(3_600_000, Math.floor(interval.milliseconds / 4 / 3_600_000) * 3_600_000) })
  return { chunkInterval: shorter, reason: 'a partition and its indexes should fit into a quarter of the memory' }
}
