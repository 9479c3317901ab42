import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { until } from '../contract/subject.ts'

const CHILD = fileURLToPath(new URL('./transaction-child.ts', import.meta.url))

/** A process of its own, and the lines that it has printed. */
export interface TransactionChild {
  readonly process: ChildProcess
  lines(): readonly string[]
  kill(): Promise<void>
}

/** Starts one; `children` has all of them, for whoever cleans up. */
export function startTransactionChild(children: ChildProcess[], ...args: readonly string[]): TransactionChild {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  let printed = ''
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()))
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  }
  return { process: child, lines: () => printed.split('\n').slice(0, -1), kill }
}

/** Numbers from 0 to 1 that a seed fixes. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** What the children of {@link killInTransactions} were told. */
export interface ToldOutcomes {
  readonly committed: ReadonlySet<number>
  readonly aborted: ReadonlySet<number>
}

/** How much each process is let finish before its kill: counted and not timed, as a busy machine is slow. */
export const COMMITS_BEFORE_A_KILL = 3

/** Kills so many processes, one after the other, each somewhere within its transactions. */
export async function killInTransactions(kills: number, random: () => number, start: (from: number) => TransactionChild): Promise<ToldOutcomes> {
  const [committed, aborted] = [new Set<number>(), new Set<number>()]
  let next = 0
  for (let round = 0; round < kills; round++) {
    const child = start(next)
    const commits = (): number => child.lines().filter((line) => line.startsWith('committed')).length
    await until(`process ${round} commits`, () => commits() >= COMMITS_BEFORE_A_KILL, { deadlineMs: 60_000 })
    await pause(random() * 120)
    await child.kill()
    for (const line of child.lines()) {
      const [what, number] = line.split(' ')
      if (what === 'committed') committed.add(Number(number))
      if (what === 'aborted') aborted.add(Number(number))
      next = Math.max(next, Number(number) + 1)
    }
  }
  return { committed, aborted }
}

/** How often each number is there; throws where that is not five times or never, or not as was told. */
export function judgeTransactions(values: readonly (string | null)[], { committed, aborted }: ToldOutcomes): string[] {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(Number(value), (counts.get(Number(value)) ?? 0) + 1)
  const problems = [...counts].filter(([, count]) => count !== 5).map(([number, count]) => `${number} is there ${count} times`)
  for (const number of committed) if (!counts.has(number)) problems.push(`${number} was committed and is not there`)
  for (const number of aborted) if (counts.has(number)) problems.push(`${number} was aborted and is there`)
  return problems
}
