import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../../packages/timescaledb/src/embedded/index.ts'

/** Where tests find PostgreSQL: a superuser's connection string. Plain data: it crosses a process boundary. */
export interface TestPostgres {
  url: string
}

/** Nothing of a test run must outlive it, so nothing waits for the disk. */
const SETTINGS = { fsync: false, synchronous_commit: false, full_page_writes: false, max_connections: 200 }

/** Starts the embedded server for a test run, on a folder of its own that `stop` removes. */
export async function startTestPostgres(): Promise<{ address: TestPostgres; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'smart-whale-postgres-'))
  const removeFolder = (): Promise<void> => rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  try {
    const server = await startPostgres({ dataDir, settings: SETTINGS })
    const stop = async (): Promise<void> => {
      await server.stop()
      await removeFolder()
    }
    return { address: { url: server.url }, stop }
  } catch (error) {
    await removeFolder()
    throw error
  }
}
