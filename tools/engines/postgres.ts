import { startPostgres } from '../../packages/timescaledb/src/embedded/index.ts'
import { openDataFolder } from '../services/src/data-folder.ts'

/** Where tests find PostgreSQL: a superuser's connection string. Plain data: it crosses a process boundary. */
export interface TestPostgres {
  url: string
}

/** Nothing of a test run must outlive it, so nothing waits for the disk. */
const SETTINGS = { fsync: false, synchronous_commit: false, full_page_writes: false, max_connections: 200 }

/** Starts the embedded server for a test run, on a folder of its own that `stop` removes. */
export async function startTestPostgres(): Promise<{ address: TestPostgres; stop(): Promise<void> }> {
  const folder = await openDataFolder(undefined, 'postgres')
  try {
    const server = await startPostgres({ dataDir: folder.path, settings: SETTINGS })
    const stop = async (): Promise<void> => {
      await server.stop()
      await folder.remove()
    }
    return { address: { url: server.url }, stop }
  } catch (error) {
    await folder.remove()
    throw error
  }
}
