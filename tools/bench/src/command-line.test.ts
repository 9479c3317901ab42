import { describe, expect, it } from 'vitest'
import { helpText, readCommand } from './command-line.ts'
import { HOT_PATHS } from './hot-paths.ts'

const KNOWN = HOT_PATHS.map(({ name }) => name)

describe('the command line of the benchmarks', () => {
  it('takes everything without a word', () => {
    expect(readCommand([], KNOWN)).toEqual({ names: [], quick: false, write: false, help: false })
  })

  it('takes a part of a name', () => {
    expect(readCommand(['insert', '--quick'], KNOWN)).toMatchObject({ names: ['insert'], quick: true })
  })

  it('names the hot paths when it knows none of that name', () => {
    expect(() => readCommand(['sorting'], KNOWN)).toThrow(/no hot path "sorting"; there are .*clickhouse-insert-flights/)
  })

  it('writes no report of a quick run', () => {
    expect(() => readCommand(['--write', '--quick'], KNOWN)).toThrow(/full measurements/)
    expect(readCommand(['one-row', '--write'], KNOWN)).toMatchObject({ names: ['one-row'], write: true })
  })

  it('names an option that it does not know', () => {
    expect(() => readCommand(['--fast'], KNOWN)).toThrow(/--fast/)
  })

  it('lists every hot path in its help', () => {
    for (const name of KNOWN) expect(helpText(KNOWN)).toContain(name)
  })
})
