import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { findProcess, type ProcessEntry } from '../../toolchain/process-table.mjs'

/** What the reaper is told, one line of JSON each. */
export type ReaperCommand =
  | { readonly watch: ProcessEntry }
  | { readonly forget: number }
  | { readonly remove: string }
  | { readonly keep: string }

let reaper: ChildProcess | undefined

/** Lets the process, and all that it starts, be killed when ours is gone, however that comes about. */
export function dieWithUs(pid: number): void {
  const entry = findProcess(pid)
  if (entry !== undefined) tell({ watch: entry })
}

/** The process has ended. */
export function forgetProcess(pid: number): void {
  tell({ forget: pid })
}

/** Lets the folder be removed when our process is gone without having done so. */
export function removeAfterUs(folder: string): void {
  tell({ remove: folder })
}

/** The folder is gone, or shall stay. */
export function forgetFolder(folder: string): void {
  tell({ keep: folder })
}

function tell(command: ReaperCommand): void {
  reaper ??= startReaper()
  reaper.stdin?.write(`${JSON.stringify(command)}\n`)
}

/** One for this process. It is no reason for us to stay: both ends are unreferenced. */
function startReaper(): ChildProcess {
  const program = fileURLToPath(new URL('./reaper-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--max-old-space-size=32', program], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, windowsHide: true })
  child.unref()
  child.on('error', () => {})
  child.once('exit', () => (reaper = undefined))
  const input = child.stdin as Socket
  input.on('error', () => {})
  input.unref()
  return child
}
