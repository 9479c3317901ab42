import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { cpuTimeBetween, ownCpuTime, treeCpuTimes } from './cpu-time.ts'

describe('ownCpuTime', () => {
  it('counts work and not waiting', async () => {
    const begin = ownCpuTime()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const waited = ownCpuTime() - begin
    // Until it has had so much of a processor: on a busy machine that takes a while.
    while (ownCpuTime() - begin - waited < 100e6);
    const worked = ownCpuTime() - begin - waited

    expect(worked).toBeGreaterThan(waited)
    expect(worked).toBeGreaterThan(10e6)
  })
})

describe.runIf(process.platform === 'linux')('treeCpuTimes', () => {
  it('counts a process together with its children', async () => {
    const busy = 'while (process.cpuUsage().user < 200_000); process.stdout.write("done"); setInterval(() => {}, 1000)'
    const parent = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(busy)}], { stdio: ['ignore', 'inherit', 'ignore'] }); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['-e', parent], { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    try {
      await once(child.stdout, 'data')

      const times = treeCpuTimes(child.pid ?? 0)

      expect(times?.size).toBe(2)
      expect(cpuTimeBetween(new Map(), times ?? new Map())).toBeGreaterThan(50e6)
    } finally {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    }
  })

  it('is null for a process that is not there', () => {
    expect(treeCpuTimes(2 ** 22 + 1)).toBeNull()
  })
})

describe('cpuTimeBetween', () => {
  it('counts who came in between from nothing, and who went no further', () => {
    const before = new Map([[1, 100], [2, 50]])
    const after = new Map([[1, 130], [3, 7]])

    expect(cpuTimeBetween(before, after)).toBe(37)
  })
})
