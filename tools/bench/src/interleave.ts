import { OperationError } from '@smart-whale/interfaces'
import { cpuTimeBetween, type CpuTimes, ownCpuTime, treeCpuTimes } from './cpu-time.ts'
import type { Contender, Measure, OpenHotPath } from './hot-path.ts'
import { orderOfRound } from './statistics.ts'

/** How long a run takes and how exact it is. */
export interface Effort {
  /** Rounds that count; in each one every contender has a slice. */
  readonly rounds: number
  /** Rounds before them, for compilers and caches. */
  readonly warmUpRounds: number
  /** How long a slice should take, in milliseconds. */
  readonly sliceMs: number
}

/** What a run needs for numbers that repeat within a few percent. */
export const FULL_EFFORT: Effort = { rounds: 25, warmUpRounds: 8, sliceMs: 100 }
/** Only shows that everything runs. */
export const QUICK_EFFORT: Effort = { rounds: 3, warmUpRounds: 1, sliceMs: 5 }

/** Costs by contender: nanoseconds an operation, one for each round. */
export type Costs = ReadonlyMap<string, readonly number[]>

/** Lets the contenders work in turn, in short slices, so that whatever else the machine does meets them all. */
export async function interleave({ contenders, serverPid }: OpenHotPath, measure: Measure, effort: Effort): Promise<Costs> {
  const meter = meterOf(measure, serverPid)
  const repeats = new Map<Contender, number>()
  for (const contender of contenders) {
    await contender.prepare?.()
    await contender.run(1)
    await contender.verify()
    repeats.set(contender, await repeatsFor(contender, effort.sliceMs))
  }
  const costs = new Map(contenders.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < effort.warmUpRounds + effort.rounds; round++) {
    for (const index of orderOfRound(contenders.length, round)) {
      const contender = contenders[index] as Contender
      const cost = await costOfSlice(contender, repeats.get(contender) ?? 1, meter)
      if (round >= effort.warmUpRounds) costs.get(contender.name)?.push(cost)
    }
  }
  return costs
}

/** Grows the slice until it takes a good part of the time that it should. */
async function repeatsFor(contender: Contender, sliceMs: number): Promise<number> {
  for (let repeats = 1; ; repeats *= 4) {
    await contender.prepare?.()
    const begin = performance.now()
    await contender.run(repeats)
    const tookMs = performance.now() - begin
    if (tookMs >= sliceMs / 4) return Math.max(1, Math.round((repeats * sliceMs) / tookMs))
  }
}

type Meter = () => () => number

async function costOfSlice(contender: Contender, repeats: number, meter: Meter): Promise<number> {
  await contender.prepare?.()
  // Nobody pays for what the one before has left behind. Not a full collection: the machine would still sweep when the slice runs, on its account.
  globalThis.gc?.({ type: 'minor', execution: 'sync' })
  const read = contender.pid === undefined ? meter() : processMeter(contender.pid)
  await contender.run(repeats)
  return read() / (repeats * contender.operationsPerRepeat)
}

/** Begins to measure when it is called; what it answers tells the nanoseconds since. */
function meterOf(measure: Measure, serverPid: number | null): Meter {
  if (measure === 'wall') {
    return () => {
      const begin = performance.now()
      return () => (performance.now() - begin) * 1e6
    }
  }
  return () => {
    const server = measure === 'client CPU' || serverPid === null ? null : treeCpuTimes(serverPid)
    const begin = ownCpuTime()
    return () => ownCpuTime() - begin + serverCpuSince(server, serverPid)
  }
}

/** Of a contender that is a program of its own. */
function processMeter(pid: number): () => number {
  const before = treeCpuTimes(pid)
  return () => {
    const after = treeCpuTimes(pid)
    if (before === null || after === null) throw new OperationError('this system does not tell the CPU time of another process')
    return cpuTimeBetween(before, after)
  }
}

function serverCpuSince(before: CpuTimes | null, serverPid: number | null): number {
  const after = before === null || serverPid === null ? null : treeCpuTimes(serverPid)
  return before === null || after === null ? 0 : cpuTimeBetween(before, after)
}
