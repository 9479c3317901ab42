import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { TIMESCALEDB_DEFAULTS } from './options.ts'

describe('TimescaleDBOptions', () => {
  it('documents the defaults that it has', () => {
    const source = readFileSync(new URL('./options.ts', import.meta.url), 'utf8')
    const body = source.slice(source.indexOf('export interface TimescaleDBOptions'), source.indexOf('export const'))
    const documented = [...body.matchAll(/@default (.+?) \*\/\n {2}(\w+)\?/g)].map(([, value, option]) => [option, value])
    const real = Object.entries(TIMESCALEDB_DEFAULTS).map(([option, value]) => [option, typeof value === 'string' ? `'${value}'` : JSON.stringify(value)])

    expect(Object.fromEntries(documented)).toEqual({ ...Object.fromEntries(real), url: 'none', password: 'none' })
  })
})
