import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadEntries } from './load-entries.ts'

describe('loadEntries', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'consumer-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const library = (name: string, esm: string, cjs = '') => {
    const at = join(folder, 'node_modules', name)
    mkdirSync(at, { recursive: true })
    writeFileSync(join(at, 'package.json'), JSON.stringify({ name, exports: { '.': { import: './index.mjs', require: './index.cjs' } } }))
    writeFileSync(join(at, 'index.mjs'), esm)
    writeFileSync(join(at, 'index.cjs'), cjs)
  }

  it('tells the names of either format, without what only a format adds', async () => {
    library('a', 'export const x = 1; export default 2', 'exports.x = 1; exports.y = 2')

    expect(await loadEntries({ folder, parcels: [] }, ['a'], 'import')).toEqual([{ specifier: 'a', names: ['x'] }])
    expect(await loadEntries({ folder, parcels: [] }, ['a'], 'require')).toEqual([{ specifier: 'a', names: ['x', 'y'] }])
  })

  it('tells why an entry point could not be loaded, and goes on', async () => {
    library('a', `import 'absent'`)
    library('b', 'export const x = 1')

    expect(await loadEntries({ folder, parcels: [] }, ['a', 'b'], 'import')).toMatchObject([
      { specifier: 'a', problem: { code: 'ERR_MODULE_NOT_FOUND', message: expect.stringContaining(`'absent'`) } },
      { specifier: 'b', names: ['x'] },
    ])
  })

  it('refuses a library that prints when it is loaded', async () => {
    library('a', `console.log('thank you for installing')`)

    library('b', 'export const x = 1')

    expect(await loadEntries({ folder, parcels: [] }, ['a', 'b'], 'import')).toEqual([
      { specifier: 'a', names: [], problem: { message: 'prints when it is loaded: thank you for installing\n' } },
      { specifier: 'b', names: ['x'] },
    ])
  })

  it('refuses a library that keeps the process alive by being loaded', async () => {
    library('a', 'setInterval(() => {}, 1000)')

    await expect(loadEntries({ folder, parcels: [] }, ['a'], 'import', 500)).rejects.toThrow(/killed after 0.5 s/)
  })
})
