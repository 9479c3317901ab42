import { describe, expect, it } from 'vitest'
import { findLibrary } from './find-library.ts'

const missing = (absent: string) => (name: string) => {
  if (name.startsWith(absent)) throw Object.assign(new TypeError('Cannot find module'), { code: 'MODULE_NOT_FOUND' })
  return { tryResolveLibchdb: () => undefined }
}

describe('findLibrary', () => {
  it('finds the library on this machine', () => {
    expect(findLibrary()).toMatch(/libchdb\.(?:so|dylib)$/)
  })

  it.each(['win32-x64', 'linux-ppc64', 'freebsd-x64'])('says what to do on %s', (platform) => {
    expect(() => findLibrary(platform)).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_UNSUPPORTED_PLATFORM', message: expect.stringContaining(platform) as string }) as Error)
  })

  it.each(['chdb', 'ffi-rs'])('names the package to add: %s', (name) => {
    expect(() => findLibrary('linux-x64', missing(name))).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_MISSING_PEER', message: expect.stringContaining(`"${name}"`) as string }) as Error)
  })

  it('tells an install without the optional library', () => {
    expect(() => findLibrary('linux-x64', missing('nothing'))).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_MISSING_PEER' }) as Error)
  })
})
