import { readFileSync, readlinkSync } from 'node:fs'

/** Whether a process of that id exists, ours or not. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A process as it can be recognised later: ids are used again, by another process, after a while. */
export interface ProcessMark {
  readonly pid: number
  /** When it started, in the system's own unit; `null` where the system doesn't tell. */
  readonly started: string | null
}

/** Marks a running process. */
export function markProcess(pid: number): ProcessMark {
  return { pid, started: startedAt(pid) }
}

/** Whether that very process still runs. */
export function isSameProcess(mark: ProcessMark | undefined): boolean {
  return mark !== undefined && isAlive(mark.pid) && mark.started === startedAt(mark.pid)
}

/** Name of a process's program, where the system tells (Linux). */
export function programName(pid: number): string | null {
  return readProcess(pid, 'comm')?.trim() ?? null
}

/** Where a process stands, where the system tells (Linux) and lets us know. */
export function workingFolder(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return null
  }
}

function startedAt(pid: number): string | null {
  // After the program's name, which may itself hold spaces and parentheses, the start time is the 20th field.
  return readProcess(pid, 'stat')?.split(') ').at(-1)?.split(' ')[19] ?? null
}

function readProcess(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}
