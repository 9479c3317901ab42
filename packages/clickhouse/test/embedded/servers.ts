import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedAccount, type EmbeddedClickHouse, startClickHouse, type StartClickHouseOptions } from '../../src/embedded/index.ts'

/** Folders and servers of one test file, which go with it. */
export class Servers {
  readonly #folders: string[] = []
  readonly #servers: EmbeddedClickHouse[] = []

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'smart-whale-embedded-'))
    this.#folders.push(folder)
    return folder
  }

  async start(options: Partial<StartClickHouseOptions> = {}): Promise<EmbeddedClickHouse> {
    const server = await startClickHouse({ dataDir: options.dataDir ?? (await this.folder()), ...options })
    this.#servers.push(server)
    return server
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()))
    await Promise.all(this.#folders.map((folder) => rm(folder, { recursive: true, force: true })))
  }
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Asks as somebody, or as nobody in particular. */
export async function ask(server: { url: string }, query: string, account?: EmbeddedAccount, signal?: AbortSignal): Promise<{ status: number; text: string }> {
  const headers = account ? { authorization: `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}` } : {}
  const response = await fetch(server.url, { method: 'POST', body: query, headers, ...(signal ? { signal } : {}) })
  return { status: response.status, text: (await response.text()).trim() }
}

/** Waits for a condition, but not for ever. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new RangeError(`${what}: not within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The code of the error that work fails with; `undefined` when it does not fail. */
export async function failureOf(work: Promise<unknown>): Promise<{ code?: string; message: string }> {
  return work.then(
    () => ({ message: 'it did not fail' }),
    (error: unknown) => error as { code?: string; message: string },
  )
}
