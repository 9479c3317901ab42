import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endTree } from '../toolchain/end-tree.mjs'

const PROGRAM = fileURLToPath(new URL('../services/src/prefetch.ts', import.meta.url))
const GRACE_MS = 2_000

/** Begins to bring the engines that the integration tests will want, so that they are there when their turn comes. */
export function startPrefetch(program = PROGRAM): { end(): Promise<void> } {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', program], { stdio: 'ignore' })
  child.on('error', () => {})
  child.unref()
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  return {
    end: async () => {
      if (child.pid !== undefined && !hasEnded()) await endTree(child.pid, { graceMs: GRACE_MS })
    },
  }
}
