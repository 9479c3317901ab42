import { startClickHouse } from '../../packages/clickhouse/src/embedded/index.ts'
import { openDataFolder } from '../services/src/data-folder.ts'

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
  const folder = await openDataFolder(undefined, 'test-clickhouse')
  const { url, owner, reader, backupPath, stop } = await startClickHouse({ dataDir: folder.path, reader: { databases: ['test_*'] } })
  return {
    address: { url, owner, reader, backupPath },
    stop: async () => {
      await stop()
      await folder.remove()
    },
  }
}
