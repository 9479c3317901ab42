import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { endTree } from '../toolchain/end-tree.mjs'
import { OUTCOMES_FILE, readOutcomes, type Outcome } from './outcome.ts'
import type { Step } from './steps.ts'

const GRACE_MS = 10_000
/** Below everything that has the usual priority. */
const BACKGROUND = 10

export interface RunOptions {
  /** Ends the step before its time. */
  signal: AbortSignal
  print: (line: string) => void
}

interface Ended {
  /** `limit` and `stopped`: it did not end by itself. */
  code: number | 'limit' | 'stopped'
  output: string
}

/** Runs one step to its end or to its limit, and shows its title with what it prints. Never throws for what the command does. */
export async function runStep(step: Step, { signal, print }: RunOptions): Promise<Outcome[]> {
  const folder = mkdtempSync(join(tmpdir(), 'outcomes-'))
  const file = join(folder, 'outcomes.json')
  try {
    if (step.shows === 'at-once') print(`\n── ${step.title}`)
    const ended = await runCommand(step, { file, signal, print })
    if (step.shows !== 'at-once') print(`\n── ${step.title}`)
    const output = ended.output.trimEnd()
    if (output !== '' && (step.shows === 'at-end' || ended.code !== 0)) print(output)
    return outcomesOf(step, ended, step.counts === 'many' ? readOutcomes(file) : undefined)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function outcomesOf(step: Step, { code }: Ended, counted: Outcome[] | undefined): Outcome[] {
  const named = (counted ?? []).map((outcome) => ({ ...outcome, name: `${step.title} › ${outcome.name}` }))
  const explained = code === 0 || (typeof code === 'number' && named.some((outcome) => outcome.state === 'failed'))
  if (!explained) return [...named, { name: step.title, state: 'failed', reason: whyItEnded(step, code) }]
  if (step.counts === 'one') return [{ name: step.title, state: 'passed' }]
  if (counted === undefined) return [{ name: step.title, state: 'failed', reason: 'ended well, but did not say what it had run' }]
  return named
}

function whyItEnded(step: Step, code: Ended['code']): string {
  const command = step.command.join(' ')
  if (code === 'limit') return `\`${command}\` did not finish within ${step.limitMs / 60_000} minutes`
  if (code === 'stopped') return `\`${command}\` was stopped`
  return `\`${command}\` ended with exit code ${code}`
}

function runCommand(step: Step, { file, signal, print }: RunOptions & { file: string }): Promise<Ended> {
  const [command, ...args] = step.command
  const piped = step.shows === 'at-once' ? 'inherit' : 'pipe'
  const env = { ...process.env, [OUTCOMES_FILE]: file, ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }) }
  const child = spawn(command, args, { stdio: ['ignore', piped, piped], env, shell: process.platform === 'win32' })
  if (step.isBackground === true && child.pid !== undefined) lowerPriority(child.pid)
  let output = ''
  for (const pipe of [child.stdout, child.stderr]) pipe?.on('data', (chunk) => (output += String(chunk)))

  return new Promise((resolve) => {
    let ended: 'limit' | 'stopped' | undefined
    const end = (why: 'limit' | 'stopped') => {
      ended ??= why
      if (child.pid !== undefined) void endTree(child.pid, { graceMs: GRACE_MS })
    }
    const limit = setTimeout(() => end('limit'), step.limitMs)
    const stop = () => end('stopped')
    signal.addEventListener('abort', stop, { once: true })
    const finish = (code: number) => {
      clearTimeout(limit)
      signal.removeEventListener('abort', stop)
      resolve({ code: ended ?? code, output })
    }
    child.once('error', (error) => {
      print(error.message)
      finish(127)
    })
    child.once('close', (code) => finish(code ?? 1))
  })
}

/** What it starts inherits it. */
function lowerPriority(pid: number): void {
  try {
    setPriority(pid, BACKGROUND)
  } catch {
    // it has ended by itself in the meantime
  }
}
