import { readdirSync, readFileSync } from 'node:fs'

/** CPU nanoseconds by process id. */
export type CpuTimes = ReadonlyMap<number, number>

/** CPU time of all threads of this process so far, in nanoseconds. */
export function ownCpuTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

/**
 * CPU time of a process and everything below it, by process. Linux counts it in nanoseconds for each thread; elsewhere it is null,
 * and so it is for a kernel without `CONFIG_SCHED_INFO`.
 */
export function treeCpuTimes(rootPid: number): CpuTimes | null {
  if (cpuTimeOf(rootPid) === null) return null
  const children = childrenByParent()
  const times = new Map<number, number>()
  const waiting = [rootPid]
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    const time = cpuTimeOf(pid)
    if (time !== null) times.set(pid, time)
    waiting.push(...(children.get(pid) ?? []))
  }
  return times
}

/** What a tree has used between two looks. A process that ended in between counts no further than the first look. */
export function cpuTimeBetween(before: CpuTimes, after: CpuTimes): number {
  let used = 0
  for (const [pid, time] of after) used += time - (before.get(pid) ?? 0)
  return used
}

function cpuTimeOf(pid: number): number | null {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.reduce((sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]), 0)
  } catch {
    // Not Linux, or it has just ended.
    return null
  }
}

function childrenByParent(): ReadonlyMap<number, readonly number[]> {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    const parent = parentOf(pid)
    if (parent === null) continue
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [pid])
    else siblings.push(pid)
  }
  return children
}

function parentOf(pid: number): number | null {
  try {
    // The command's name stands in brackets and may hold anything; behind the last one come the state and the parent.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return null
  }
}
