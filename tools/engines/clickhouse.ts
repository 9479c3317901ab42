import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startClickHouse } from '../../packages/clickhouse/src/embedded/index.ts'

/** Where tests find ClickHouse. Plain data: it crosses a process boundary. */
export interface TestClickHouse {
  url: string
  /** May do everything. */
  owner: { username: string; password: string }
  /** May read the databases whose name starts with `test_`, under the limits of a read-only user. */
  reader: { username: string; password: string }
  /** Folder that `BACKUP … TO File('…')` may write to. */
  backupPath: string
}

/** Starts the embedded server for a test run, on a folder that goes with it. */
export async function startTestClickHouse(): Promise<{ address: TestClickHouse; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'smart-whale-test-clickhouse-'))
  const { url, owner, reader, backupPath, stop } = await startClickHouse({ dataDir, reader: { databases: ['test_*'] } })
  return {
    address: { url, owner, reader, backupPath },
    stop: async () => {
      await stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
