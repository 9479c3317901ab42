import { descendantsOf } from '../../toolchain/process-table.mjs'

/** Sends a signal to a process and to all that it has started. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const target of treeOf(pid)) {
    try {
      process.kill(target, signal)
    } catch {
      // It ended by itself in the meantime.
    }
  }
}

/** The process and all below it, from the top down. */
export function treeOf(pid: number): number[] {
  return [pid, ...descendantsOf(pid).map((entry) => entry.pid)]
}
