import { describe, expect, it } from 'vitest'
import { exportLines, statusLine } from './show-status.ts'

describe('statusLine', () => {
  it('names the address, and keeps the password to itself', () => {
    const line = statusLine({ name: 'timescaledb', condition: 'running', origin: 'native', since: '2026-01-01', variables: { TIMESCALEDB_URL: 'postgres://postgres:hidden@127.0.0.1:5/postgres', OTHER: 'x' } })

    expect(line).toBe('timescaledb       running   TIMESCALEDB_URL=postgres://postgres:…@127.0.0.1:5/postgres (native, since 2026-01-01)')
  })

  it('is short for what is down', () => {
    expect(statusLine({ name: 'kafka', condition: 'down', variables: {} })).toBe('kafka             down')
  })
})

describe('exportLines', () => {
  it('are taken by a shell as they are meant', () => {
    expect(exportLines({ A: 'x', B: "it's $HOME" })).toEqual(["export A='x'", String.raw`export B='it'\''s $HOME'`])
  })
})
