import { describe, expect, it } from 'vitest'
import { readPnpmOutput } from './pnpm-output.mjs'

const RETRY = '{"name":"pnpm:request-retry","level":"debug","error":{"message":"connection refused"}}\n'
const FETCHED = '{"name":"pnpm:progress","level":"debug","status":"fetched"}\n'

describe('readPnpmOutput', () => {
  it('counts packages across chunks that end in the middle of a line', () => {
    let words = ''
    const output = readPnpmOutput((text) => (words = text))

    output.take('{"name":"pnpm:progress","status":"fetched"}\n{"name":"pnpm:progress","sta')
    output.take('tus":"imported"}\n')

    expect(words).toBe('1 packages fetched, 1 in place')
  })

  it('keeps errors and plain text, drops the rest', () => {
    const output = readPnpmOutput(() => {})

    output.take('{"level":"debug","message":"noise"}\n{"level":"error","message":"lockfile is not up to date"}\npanicked\n')

    expect(output.complaint()).toBe('lockfile is not up to date\npanicked')
  })

  it('says that the registry does not answer, until it does', () => {
    let words = ''
    const output = readPnpmOutput((text) => (words = text))

    output.take(RETRY)
    expect(words).toMatch(/registry does not answer/)
    output.take(FETCHED)
    expect(words).toBe('1 packages fetched, 0 in place')
  })

  it('takes silence after a retry for the end much sooner than silence during a download', () => {
    let now = 0
    const output = readPnpmOutput(() => {}, { now: () => now })

    output.take(FETCHED)
    now += 60_000
    expect(output.isStuck()).toBe(false)
    output.take(RETRY)
    now += 60_000
    expect(output.isStuck()).toBe(true)
    expect(output.complaint()).toBe('The registry does not answer: connection refused')
  })
})
