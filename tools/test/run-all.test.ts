import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A folder with a command `vitest` that says its process id, and then runs until it is ended. */
function folderWithEndlessTests(): string {
  const folder = mkdtempSync(join(tmpdir(), 'run-all-'))
  folders.push(folder)
  writeFileSync(join(folder, 'vitest'), `#!${process.execPath}\nprocess.on('SIGTERM', () => setTimeout(() => process.exit(), 300))\nconsole.log('runs as ' + process.pid)\nsetInterval(() => {}, 1000)\n`, { mode: 0o755 })
  return folder
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it.skipIf(process.platform === 'win32')('ends what it has started, and says so, though it is told to stop twice', async () => {
  const env = { ...process.env, PATH: [folderWithEndlessTests(), process.env.PATH].join(delimiter) }
  const run = spawn(process.execPath, [join(import.meta.dirname, 'run-all.ts'), '--only', 'unit'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  run.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const testsPid = (): number | undefined => (/runs as (\d+)/.exec(output) ?? []).slice(1).map(Number)[0]
  await expect.poll(testsPid, { timeout: 60_000 }).toBeDefined()

  const ended = once(run, 'exit') as Promise<[number | null]>
  run.kill('SIGTERM')
  await pause(100)
  run.kill('SIGTERM')
  const [code] = await ended
  const isLeft = isRunning(testsPid() as number)
  if (isLeft) process.kill(testsPid() as number, 'SIGKILL')

  expect(code).toBe(1)
  expect(output.trimEnd().split('\n').at(-1)).toBe('0 passed, 2 failed, 0 skipped')
  expect(isLeft).toBe(false)
}, 90_000)
