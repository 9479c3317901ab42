import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findProcess, isAlive } from '../../toolchain/process-table.mjs'

/** Owns a server with a child of its own and a temporary folder, and says what they are. */
const OWNER = `
import { spawnOwned } from ${JSON.stringify(fileURLToPath(new URL('../src/owned-process.ts', import.meta.url)))}
import { treeOf } from ${JSON.stringify(fileURLToPath(new URL('../src/process-tree.ts', import.meta.url)))}
import { openDataFolder } from ${JSON.stringify(fileURLToPath(new URL('../src/data-folder.ts', import.meta.url)))}
const folder = await openDataFolder(undefined, 'owner')
const server = await spawnOwned({ command: 'sh', args: ['-c', 'sleep 300 & wait'], logFile: folder.path + '/log' })
while (treeOf(server.pid).length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
console.log(JSON.stringify({ pids: treeOf(server.pid), folder: folder.path }))
process.stdin.once('data', () => process.exit(0))
setInterval(() => {}, 1000)
`

describe.skipIf(process.platform === 'win32')('what a process has started', () => {
  let temporary: string
  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), 'smart-whale-die-'))
  })
  afterEach(() => rmSync(temporary, { recursive: true, force: true }))

  async function startOwner(): Promise<{ owner: ReturnType<typeof spawn>; processes: { pid: number; startedAt: string }[]; folder: string }> {
    const owner = spawn(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module', '-e', OWNER], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: temporary } })
    const [line] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string]
    const { pids, folder } = JSON.parse(line) as { pids: number[]; folder: string }
    return { owner, folder, processes: pids.map((pid) => findProcess(pid) ?? { pid, startedAt: 'gone' }) }
  }

  async function expectGone({ processes, folder }: Awaited<ReturnType<typeof startOwner>>): Promise<void> {
    while (processes.some(isAlive) || existsSync(folder)) await sleep(20)
  }

  it('ends when it is killed, and the folder goes', async () => {
    const started = await startOwner()
    expect(started.processes).toHaveLength(2)
    expect(started.processes.every(isAlive)).toBe(true)

    started.owner.kill('SIGKILL')

    await expectGone(started)
  })

  it('ends when it ends without a word to them', async () => {
    const started = await startOwner()

    started.owner.stdin?.write('go\n')

    await expectGone(started)
    expect((started.owner.exitCode ?? (await once(started.owner, 'exit'))[0])).toBe(0)
  })

  it('has a process group of its own, so that a Ctrl-C reaches its owner alone', async () => {
    const started = await startOwner()

    process.kill(-(started.processes[0]?.pid ?? 0), 0)
    expect(started.processes[0]?.pid).not.toBe(started.owner.pid)
    started.owner.kill('SIGKILL')

    await expectGone(started)
  })
})
