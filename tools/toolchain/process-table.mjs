// Which processes are there, and who started whom? Read from /proc on Linux, from `ps` on other Unixes; unknown on Windows.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * @typedef {{ pid: number, parent: number, name: string, startedAt: string }} ProcessEntry
 * `startedAt` only tells one process from a later one with the same number.
 */

/** @returns {ProcessEntry | undefined} */
export function findProcess(pid) {
  if (process.platform === 'linux') return readProc(pid)
  if (process.platform === 'win32') return undefined
  return readPs(['-p', String(pid)])[0]
}

/** @returns {ProcessEntry[]} */
export function listProcesses() {
  if (process.platform === 'win32') return []
  if (process.platform !== 'linux') return readPs(['-A'])
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProc(Number(name)))
    .filter((entry) => entry !== undefined)
}

/** Everything below a process, however deep. */
export function descendantsOf(pid, processes = listProcesses()) {
  const found = []
  const parents = [pid]
  while (parents.length > 0) {
    const parent = parents.pop()
    for (const entry of processes) {
      if (entry.parent !== parent || found.includes(entry)) continue
      found.push(entry)
      parents.push(entry.pid)
    }
  }
  return found
}

/** True while this very process lives, not merely one that was given its number later. A zombie counts as gone. */
export function isAlive(entry) {
  return findProcess(entry.pid)?.startedAt === entry.startedAt
}

function readProc(pid) {
  let stat
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The name stands in parentheses and may itself contain spaces and parentheses; the rest is counted from its end.
  const end = stat.lastIndexOf(')')
  const fields = stat.slice(end + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return { pid, parent: Number(fields[1]), name: stat.slice(stat.indexOf('(') + 1, end), startedAt: fields[19] }
}

function readPs(selection) {
  try {
    const table = execFileSync('ps', [...selection, '-o', 'pid=,ppid=,lstart=,stat=,comm='], {
      encoding: 'utf8',
      timeout: 5_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return table
      .split('\n')
      .map(parsePsLine)
      .filter((entry) => entry !== undefined)
  } catch {
    return []
  }
}

function parsePsLine(line) {
  const match = /^\s*(\d+)\s+(\d+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(\S+)\s+(.*)$/.exec(line)
  if (match === null || match[4].startsWith('Z')) return undefined
  return { pid: Number(match[1]), parent: Number(match[2]), startedAt: match[3], name: match[5].replace(/^.*\//, '') }
}
