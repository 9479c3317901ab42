import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'

/** A folder of mode 700 that only its maker may enter, removed with all that is in it. */
export async function closedFolder(): Promise<{ dataDir: string; remove(): Promise<void> }> {
  const parent = await mkdtemp(join(tmpdir(), 'smart-whale-embedded-'))
  return { dataDir: join(parent, 'data'), remove: () => rm(parent, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }) }
}

/** Runs one statement on a connection of its own. */
export async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 60_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}

/** Waits for a condition, with a deadline. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) throw new RangeError(`not so after ${deadlineMs} ms: ${what}`)
    await sleep(20)
  }
}

/** Whether a process exists and is no zombie that waits for its parent. */
export function isRunning(pid: number): boolean {
  if (!existsSync('/proc/self/stat')) {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** The program that holds a server until it is killed. */
export function spawnHolder(dataDir: string): ChildProcess {
  const script = fileURLToPath(new URL('../fixtures/hold-postgres.ts', import.meta.url))
  return spawn(process.execPath, ['--conditions=@smart-whale/source', script, dataDir], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** What the program says once its server is ready. */
export async function whenHolding(holder: ChildProcess): Promise<{ pid: number; url: string }> {
  let complaint = ''
  holder.stderr?.on('data', (chunk: Buffer) => (complaint += String(chunk)))
  const lines = createInterface({ input: holder.stdout as NodeJS.ReadableStream })
  const [line] = (await Promise.race([once(lines, 'line'), once(holder, 'exit').then(() => [undefined])])) as [string | undefined]
  if (line === undefined) throw new RangeError(`the program ended before its server was ready: ${complaint}`)
  return JSON.parse(line) as { pid: number; url: string }
}

/** Who runs the server of a folder, as the folder notes it. */
export function ownerOf(dataDir: string): { supervisor: { pid: number }; server: { pid: number } } {
  return JSON.parse(readFileSync(join(dataDir, 'owner.json'), 'utf8')) as { supervisor: { pid: number }; server: { pid: number } }
}
