import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const SOURCE = join(import.meta.dirname, '../../franz-go')
const CACHE = join(import.meta.dirname, '../../../../node_modules/.cache/smart-whale-bench')
const BUILD_TIMEOUT_MS = 600_000

/** Builds the program with the Go of this machine, once for each state of its sources; null where there is no Go. */
export async function buildFranzGo(): Promise<string | null> {
  const run = promisify(execFile)
  const isThere = await run('go', ['version']).then(
    () => true,
    () => false,
  )
  if (!isThere) return null
  const sources = await Promise.all(['main.go', 'go.mod', 'go.sum'].map((name) => readFile(join(SOURCE, name))))
  const program = join(CACHE, `franz-go-${createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 16)}`)
  await mkdir(CACHE, { recursive: true })
  await run('go', ['build', '-o', program, '.'], { cwd: SOURCE, env: { ...process.env, CGO_ENABLED: '0' }, timeout: BUILD_TIMEOUT_MS })
  return program
}
