import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { endTree } from './end-tree.mjs'
import { findProcess } from './process-table.mjs'

const GRANDCHILD = `process.on('SIGTERM', () => {}); setTimeout(() => {}, 20000)`
/** A process with a child that does not listen; it prints the child's number. */
const family = (onTerm) => `
  const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(GRANDCHILD)}])
  process.on('SIGTERM', ${onTerm})
  console.log(child.pid)
  setTimeout(() => {}, 20000)`

describe.skipIf(process.platform === 'win32')('endTree', () => {
  const pids = []
  afterEach(() => {
    for (const pid of pids.splice(0)) if (findProcess(pid) !== undefined) process.kill(pid, 'SIGKILL')
  })
  async function start(onTerm) {
    const child = spawn(process.execPath, ['-e', family(onTerm)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(child.stdout, 'data')
    pids.push(child.pid, Number(line))
    return { pid: child.pid, grandchild: Number(line) }
  }

  it('kills after the grace what does not listen, and what it has started', async () => {
    const { pid, grandchild } = await start('() => {}')

    await endTree(pid, { graceMs: 300 })

    await expect.poll(() => [findProcess(pid), findProcess(grandchild)]).toEqual([undefined, undefined])
  })

  it('does not lose sight of a child whose parent ended at once', async () => {
    const { pid, grandchild } = await start('() => process.exit(0)')

    await endTree(pid, { graceMs: 500 })

    await expect.poll(() => [findProcess(pid), findProcess(grandchild)]).toEqual([undefined, undefined])
  })

  it('does not wait out the grace when everything is gone', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 200000)'])
    await once(child, 'spawn')
    const startedAt = Date.now()

    await endTree(child.pid, { graceMs: 60_000 })

    expect(Date.now() - startedAt).toBeLessThan(30_000)
  })
})
