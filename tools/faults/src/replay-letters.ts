import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { COMPILED_PROGRAMS } from '../../engines/compiled-programs.ts'
import type { Environment } from './fault-world.ts'

const MAIN = join(import.meta.dirname, '../../../apps/stream-ingestor/src/main.ts')

/** Mends what one store alone refused, and leaves everything else where it is. */
const PATCH = `export default (event) => (event !== undefined && event !== null && event.value >= 1000000 ? { ...event, value: 0 } : undefined)\n`

/** Replays the mendable dead letters of a topic by the command line: once killed on the way, then twice more. Answers the exit codes of these two. */
export async function replayThrice(folder: string, environment: Environment, topic: string, killAfterMs: number): Promise<number[]> {
  const patch = join(folder, 'patch.mjs')
  await writeFile(patch, PATCH)
  const args = ['dead-letters', 'replay', topic, '--patch', patch, '--json']
  await runCommand(args, environment, killAfterMs)
  return [await runCommand(args, environment), await runCommand(args, environment)]
}

/** The exit code; -1 when it was killed. */
function runCommand(args: readonly string[], environment: Environment, killAfterMs?: number): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', MAIN, ...args], { stdio: 'ignore', env: { PATH: process.env.PATH, ...COMPILED_PROGRAMS, ...environment } })
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  return new Promise((resolve) =>
    child.once('exit', (code) => {
      clearTimeout(timer)
      resolve(code ?? -1)
    }),
  )
}
