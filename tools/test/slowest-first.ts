import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * What takes longest, in the order in which it begins: a long one that begins last has the machine wait for it alone.
 * The two with the faults are far apart, so that one has ended, or nearly, when the other one begins: each loads the machine by itself.
 */
export const SLOWEST: readonly string[] = [
  'tools/faults/test/short-forms-1.test.ts',
  'apps/stream-ingestor/test/kafka.test.ts',
  'packages/messaging/test/kafka/broker-faults.test.ts',
  'apps/standalone/test/kill.test.ts',
  'packages/messaging/test/service/service.test.ts',
  'tools/faults/test/short-forms-2.test.ts',
  'tools/bench/test/contenders.test.ts',
  'apps/stream-ingestor/test/tampered.test.ts',
  'apps/standalone/test/clear-errors.test.ts',
  'apps/stream-ingestor/test/altered.test.ts',
  'packages/timescaledb/test/embedded/crash.test.ts',
  'packages/timescaledb/test/drivers/sql-driver-limits.test.ts',
  'packages/messaging/src/memory/durability.test.ts',
  'packages/messaging/src/memory/transport.test.ts',
  'packages/messaging/src/memory/log/recovery.test.ts',
]

/** Runs the files of {@link SLOWEST} first, then each project's in Vitest's own order: a process that is shared by files of one project goes on with the next. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = SLOWEST.findIndex((path) => moduleId.endsWith(`/${path}`))
      return place < 0 ? SLOWEST.length : place
    }
    return usual.toSorted((one, other) => rank(one) - rank(other) || (rank(one) === SLOWEST.length ? one.project.name.localeCompare(other.project.name) : 0))
  }
}
