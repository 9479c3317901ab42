import { type Clock, InfrastructureError, type Logger } from '@smart-whale/interfaces'
import type { PartitionReader } from '../transport.ts'
import type { Comebacks } from './comebacks.ts'
import type { PartitionProgress } from './pipeline-status.ts'

/** Whose step it is. */
export interface PausableWork {
  readonly reader: Pick<PartitionReader, 'partition' | 'signal'>
  readonly progress: Pick<PartitionProgress, 'paused' | 'resumed'>
  /** Shared with the partitions that wait for the same. */
  readonly comebacks: Comebacks
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Runs a step until it works. A store or broker that is away pauses the partition: nothing is read on, nothing is lost,
 * nothing is dead-lettered. What waiting can't mend is thrown.
 */
export async function untilItWorks<T>(work: PausableWork, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      const result = await step()
      if (failures > 0) goesOn(work, failures)
      work.progress.resumed()
      return result
    } catch (error) {
      if (signal.aborted || work.reader.signal.aborted || isFatal(error)) throw error
      if (failures === 0) work.logger.warn({ err: error, partition: work.reader.partition }, 'partition paused: a slice could not be written')
      work.progress.paused(error)
      await work.comebacks.pause(pauseMs(failures), { signal: work.reader.signal, clock: work.clock })
    }
  }
}

function goesOn({ comebacks, logger, reader }: PausableWork, failures: number): void {
  logger.info({ partition: reader.partition, failures }, 'partition goes on')
  comebacks.announce()
}

/** What waiting can't mend: the pipeline halts and says so. */
const FATAL_CODES = new Set([
  'ERR_STALE_EPOCH',
  'ERR_TABLE_TAKEN',
  'ERR_MESSAGING_BATCH_REFUSED',
  'ERR_MESSAGING_DEFINITION_CHANGED',
  'ERR_MESSAGING_LEDGER_AHEAD',
  'ERR_MESSAGING_LEDGER_LOST',
  'ERR_MESSAGING_LEDGER_FULL',
  'ERR_MESSAGING_LEDGER_WENT_BACK',
  'ERR_MESSAGING_LOG_CORRUPT',
  'ERR_MESSAGING_OFFSET_OUT_OF_RANGE',
  'ERR_MESSAGING_PIPELINE_HALTED',
  'ERR_MESSAGING_PIPELINE_RENAMED',
  // A dead letter that its topic doesn't take will never be taken.
  'ERR_MESSAGING_RECORD_TOO_LARGE',
  'ERR_MESSAGING_SLICE_CONFLICT',
  'ERR_MESSAGING_SLICE_DOUBLED',
  'ERR_MESSAGING_SLICE_GONE',
  'ERR_MESSAGING_TOPIC_BEGAN_AGAIN',
  'ERR_MESSAGING_VIEWS_UNCERTAIN',
])

const isFatal = (error: unknown): boolean => InfrastructureError.isInstance(error) && FATAL_CODES.has(error.code)

/** 100 ms, 200 ms, … 5 s, half of it by chance, so that many partitions don't come back in step. */
function pauseMs(failures: number): number {
  const ceiling = Math.min(5000, 100 * 2 ** Math.min(failures, 10))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}
