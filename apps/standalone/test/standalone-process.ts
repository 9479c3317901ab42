import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A standalone in a process of its own, as a user starts it. */
export interface StandaloneProcess {
  readonly pid: number
  /** Everything it has printed so far, for messages of failed tests. */
  output(): string
  /** Resolves with the address and the admin token when the sample is in both stores. */
  readonly ready: Promise<{ url: string; token: string }>
  /** Resolves when it serves, which is before it is ready. */
  readonly serving: Promise<{ url: string; token: string }>
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  kill(signal: NodeJS.Signals): void
}

const MAIN = join(import.meta.dirname, '../src/main.ts')
const DEADLINE_MS = 60_000

/** What a standalone prints with {@link tellingWhenItListens} as soon as SIGTERM is a stop for it, and not the end of its process. */
export const LISTENS = 'it listens to SIGTERM'

/** Loaded before the program, in it alone and in none of the processes that it starts. */
export const tellingWhenItListens = `--import=data:text/javascript,process.on('newListener',(name)=>name==='SIGTERM'&&process.argv[1]===${JSON.stringify(MAIN)}&&process.stderr.write('${LISTENS}\\n'))`

/** Starts a standalone with these options; the caller ends it. */
export function startStandalone(args: readonly string[], environment: Record<string, string> = {}, nodeOptions: readonly string[] = []): StandaloneProcess {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', ...nodeOptions, MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LOG_LEVEL: 'warn', ...environment } })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => void (printed += chunk))
  child.stderr.on('data', (chunk: Buffer) => void (printed += chunk))
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  return {
    pid: child.pid as number,
    output: () => printed,
    ready: printedAddress(child, () => printed, /ready in .*?: (\S+)\/#token=(\S+)/),
    serving: printedAddress(child, () => printed, /serving on (\S+)\/#token=(\S+)/),
    exited,
    kill: (signal) => void child.kill(signal),
  }
}

function printedAddress(child: ChildProcess, printed: () => string, pattern: RegExp): Promise<{ url: string; token: string }> {
  const address = new Promise<{ url: string; token: string }>((resolve, reject) => {
    const look = (): void => {
      const found = pattern.exec(printed())
      if (found !== null) resolve({ url: found[1] as string, token: found[2] as string })
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.once('exit', (code, signal) => reject(Object.assign(new TypeError(`the standalone ended (${code ?? signal}) before it printed ${pattern.source}:\n${printed()}`))))
  })
  // A test that doesn't wait for it must not fail of it.
  address.catch(() => {})
  return address
}

/** A data folder for one test, that goes with it. PostgreSQL runs under another account, which must be able to reach it. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'smart-whale-standalone-'))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** Processes that work on the folder: it stands in their command line, or they have a file of it open, or live in it. */
export async function processesOn(folder: string): Promise<number[]> {
  const found: number[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
    if ((await tracesOf(entry)).some((trace) => trace.includes(folder))) found.push(Number(entry))
  }
  return found
}

async function tracesOf(pid: string): Promise<string[]> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const files = await readdir(`/proc/${pid}/fd`).catch(() => [])
  const links = [`/proc/${pid}/cwd`, ...files.map((file) => `/proc/${pid}/fd/${file}`)]
  return [command, ...(await Promise.all(links.map((link) => readlink(link).catch(() => ''))))]
}

/** Asks again and again until the answer is right. @throws when it isn't within a minute */
export async function eventually<T>(ask: () => Promise<T>, right: (answer: T) => boolean, what: string): Promise<T> {
  const end = performance.now() + DEADLINE_MS
  for (;;) {
    const answer = await ask()
    if (right(answer)) return answer
    if (performance.now() > end) throw new TypeError(`${what}: still ${JSON.stringify(answer)} after ${DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Asks a route with the token. */
export async function ask<T>({ url, token }: { url: string; token: string }, path: string, body?: unknown): Promise<T> {
  const response = await fetch(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new TypeError(`${path} answered ${response.status}: ${text}`)
  return JSON.parse(text) as T
}
