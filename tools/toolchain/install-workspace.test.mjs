import { describe, expect, it } from 'vitest'
import { changesDependencies, createOutputReader } from './install-workspace.mjs'

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

describe('createOutputReader', () => {
  it('counts packages across chunks that end in the middle of a line', () => {
    let words = ''
    const output = createOutputReader((text) => (words = text))

    output.read('{"name":"pnpm:progress","status":"fetched"}\n{"name":"pnpm:progress","sta')
    output.read('tus":"imported"}\n')

    expect(words).toBe('1 packages fetched, 1 in place')
  })

  it('keeps errors and plain text, drops the rest', () => {
    const output = createOutputReader(() => {})

    output.read('{"level":"debug","message":"noise"}\n{"level":"error","message":"lockfile is not up to date"}\npanicked\n')

    expect(output.complaint()).toBe('lockfile is not up to date\npanicked')
  })
})
