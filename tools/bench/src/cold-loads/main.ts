import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startRedis } from '../../../services/src/index.ts'
import { CONTENDERS, FRESH_SECONDS, type ReadThrough } from './contenders.ts'

const CALLERS = 100
const PROCESSES = 4
const LOAD_MS = 20

/** `node --conditions=@smart-whale/source tools/bench/src/cold-loads/main.ts`: how often a key is loaded that many ask for at the same time. */
async function run(): Promise<void> {
  const servers = await startRedis()
  const port = Number(servers.nodes[0]?.address.split(':').at(-1))
  try {
    print(`| loads, ${CALLERS} callers at the same time | a cold key | when it has expired | loader fails | ${PROCESSES} processes on one Redis |\n|---|---:|---:|---:|---:|`)
    for (const [index, [name, open]] of Object.entries(CONTENDERS).entries()) {
      const inOne = await loadsInOneProcess(await open(port, `one-${index}`))
      print(`| ${name} | ${[...inOne, await loadsInProcesses(name, port, `many-${index}`)].join(' | ')} |`)
    }
  } finally {
    await servers.stop()
  }
}

async function loadsInOneProcess(cache: ReadThrough): Promise<readonly string[]> {
  let loads = 0
  const load = async (): Promise<number> => {
    loads += 1
    await pause(LOAD_MS)
    return loads
  }
  const failing = async (): Promise<never> => {
    await load()
    throw new RangeError('the source is away')
  }
  const ask = async (key: string, loader: () => Promise<unknown>): Promise<string> => {
    const [before, beganMs] = [loads, performance.now()]
    await Promise.allSettled(Array.from({ length: CALLERS }, () => cache.get(key, loader)))
    return `${loads - before} (${Math.round(performance.now() - beganMs)} ms)`
  }
  try {
    const cold = await ask('k', load)
    await pause(FRESH_SECONDS * 1_000 + 200)
    return [cold, await ask('k', load), await ask('failing', failing)]
  } finally {
    await cache.close()
  }
}

async function loadsInProcesses(name: string, port: number, prefix: string): Promise<string> {
  const counter = new Redis(port)
  const args = [name, String(port), prefix, String(CALLERS)]
  const children: ChildProcess[] = Array.from({ length: PROCESSES }, () => fork(new URL('./caller-process.ts', import.meta.url), args, { execArgv: ['--conditions=@smart-whale/source'] }))
  try {
    await Promise.all(children.map((child) => once(child, 'message')))
    const ended = Promise.all(children.map((child) => once(child, 'exit')))
    for (const child of children) child.send('go')
    await ended
    return String(await counter.get(`${prefix}-loads`))
  } finally {
    for (const child of children) child.kill()
    counter.disconnect()
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

await run()
