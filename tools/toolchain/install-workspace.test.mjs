import { describe, expect, it } from 'vitest'
import { changesDependencies } from './install-workspace.mjs'

describe('changesDependencies', () => {
  it('knows the commands that change the lockfile', () => {
    expect(changesDependencies('pnpm', ['add', '-D', 'y'])).toBe(true)
    expect(changesDependencies('pnpm', ['install'])).toBe(true)
    expect(changesDependencies('pnpm', ['exec', 'nx'])).toBe(false)
    expect(changesDependencies('nx', ['add'])).toBe(false)
  })

  it('takes the value of a flag for the verb, which only means that the lockfile is enforced first', () => {
    expect(changesDependencies('pnpm', ['--filter', 'x', 'add', 'y'])).toBe(false)
  })
})
