import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'
import { startPostgres } from '@smart-whale/timescaledb/embedded'
import { startTestKafka } from '../../engines/kafka.ts'
import { treeCpuTimes } from './cpu-time.ts'
import type { BenchEngines } from './hot-path.ts'

/** Engines of one run, on a folder that goes with them. */
export interface StartedEngines {
  readonly engines: BenchEngines
  /** What the report says about the servers. */
  readonly notes: readonly string[]
  stop(): Promise<void>
}

/** What a run does not measure must not disturb it: no vacuum in the background, no checkpoint in the middle. */
const POSTGRES_SETTINGS = { autovacuum: false, checkpoint_timeout: '1h', max_wal_size: '4GB' }

/** Starts both embedded engines. */
export async function startEngines(): Promise<StartedEngines> {
  const dataDir = await mkdtemp(join(tmpdir(), 'smart-whale-bench-'))
  const [kafka, clickhouse, postgres] = await Promise.all([
    startTestKafka({ isShortLived: false }),
    startClickHouse({ dataDir: join(dataDir, 'clickhouse') }),
    startPostgres({ dataDir: join(dataDir, 'postgres'), settings: POSTGRES_SETTINGS }),
  ])
  const counted = treeCpuTimes(postgres.pid) !== null
  return {
    engines: { clickhouse: { url: clickhouse.url, ...clickhouse.owner }, postgres: { url: postgres.url, pid: counted ? postgres.pid : null }, kafka: kafka.engine },
    notes: [
      ...(counted ? [] : ["This system doesn't tell the CPU time of other processes: PostgreSQL's is left out."]),
      ...(kafka.engine.found === null ? [`Left out, for want of Kafka: what begins there (${kafka.engine.remedy}).`] : []),
    ],
    stop: async () => {
      await Promise.all([clickhouse.stop(), postgres.stop(), kafka.stop()])
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
