import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from './lock.mjs'
import { findProcess } from './process-table.mjs'

describe('withLock', () => {
  let folder
  let path
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lock-'))
    path = join(folder, 'deeper', 'lock')
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const heldBy = async (owner) => {
    await withLock(path, {}, async () => {}) // makes the folder
    writeFileSync(path, typeof owner === 'string' ? owner : JSON.stringify(owner))
  }

  it('lets one in at a time', async () => {
    let inside = 0
    let most = 0
    const enter = () =>
      withLock(path, {}, async () => {
        most = Math.max(most, ++inside)
        await new Promise((resolve) => setTimeout(resolve, 20))
        inside -= 1
      })

    await Promise.all([enter(), enter(), enter()])

    expect(most).toBe(1)
    expect(existsSync(path)).toBe(false)
  })

  it('is free again when the work fails', async () => {
    await expect(withLock(path, {}, async () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')

    expect(existsSync(path)).toBe(false)
  })

  it('takes over from an owner that died', async () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    await heldBy({ pid, host: hostname(), startedAt: '1' })

    expect(await withLock(path, { giveUpMs: 60_000 }, async () => 'in')).toBe('in')
  })

  it('takes over when the number of the dead owner belongs to another process now', async () => {
    await heldBy({ pid: process.pid, host: hostname(), startedAt: 'long ago' })

    expect(await withLock(path, { giveUpMs: 60_000 }, async () => 'in')).toBe('in')
  })

  it('ends what a killed owner was waiting for, before it begins anew', async () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    const orphan = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'])
    await once(orphan, 'spawn')
    const child = { pid: orphan.pid, startedAt: findProcess(orphan.pid)?.startedAt }
    await heldBy({ pid, host: hostname(), startedAt: '1', child })

    expect(await withLock(path, { giveUpMs: 60_000 }, async () => findProcess(orphan.pid))).toBeUndefined()
  })

  it('takes over a file whose owner never got to write its name', async () => {
    await heldBy('')
    utimesSync(path, new Date(0), new Date(0))

    expect(await withLock(path, { giveUpMs: 60_000 }, async () => 'in')).toBe('in')
  })

  it('waits for a living owner, says for whom, and gives up in the end', async () => {
    const sleeper = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'])
    await once(sleeper, 'spawn')
    await heldBy({ pid: sleeper.pid, host: hostname(), startedAt: findProcess(sleeper.pid)?.startedAt })
    const waitedFor = []

    await expect(withLock(path, { giveUpMs: 300, onWait: (pid) => waitedFor.push(pid) }, async () => 'in')).rejects.toThrow(
      /held .* for too long/,
    )

    expect(waitedFor).toEqual([sleeper.pid])
    sleeper.kill('SIGKILL')
  })
})
