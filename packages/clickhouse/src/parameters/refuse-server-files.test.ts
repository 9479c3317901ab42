import { describe, expect, it } from 'vitest'
import { PermissionDeniedError } from '../operational-errors.ts'
import { refuseServerFiles } from './refuse-server-files.ts'
import { typed } from './typed-value.ts'

const isRefused = (query: string, params = {}): boolean => {
  try {
    refuseServerFiles(query, params)
    return false
  } catch (error) {
    return PermissionDeniedError.isInstance(error)
  }
}

describe('refuseServerFiles', () => {
  it.each([
    "SELECT file('/etc/passwd')",
    "SELECT file/**/('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT \"file\"('/etc/passwd')",
    "SELECT “file”('/etc/passwd')",
    "SELECT 1 AS “a”, file('/etc/passwd'), 2 AS “b”",
    "SELECT `\\x66ile`('/etc/passwd')",
    "SELECT `f\\ile`('/etc/passwd')",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
    "WITH (x -> file(x)) AS f SELECT f('/etc/passwd')",
    "SELECT 1.file('/etc/passwd')",
    "SELECT '\\'', file('/etc/passwd')",
    "SELECT 'a''', file('/etc/passwd')",
    "SELECT $a$ $a$, file('/etc/passwd')",
    "SELECT * FROM file('/etc/passwd')",
  ])('refuses %s', (query) => {
    expect(isRefused(query)).toBe(true)
  })

  it.each([
    "SELECT 'file', \"a file\", t.file, t.`file`, profile, file_name FROM t",
    "SELECT 1 -- file('x')\n/* file('x') */",
    "SELECT $$ file('x') $$, 'it''s file(1)', 'it\\'s file(1)'",
  ])('lets pass %s', (query) => {
    expect(isRefused(query)).toBe(false)
  })

  it('refuses the name as an identifier among the values', () => {
    expect(isRefused("SELECT {f:Identifier}('/etc/passwd')", { f: 'file' })).toBe(true)
    expect(isRefused("SELECT :f('/etc/passwd')", { f: typed('Identifier', 'file') })).toBe(true)
    expect(isRefused('SELECT :f', { f: 'file' })).toBe(false)
  })
})
