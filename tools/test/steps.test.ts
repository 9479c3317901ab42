import { describe, expect, it } from 'vitest'
import { PARTS } from './parse-options.ts'
import { lanesFor } from './steps.ts'

const titlesOf = (parts: readonly (typeof PARTS)[number][]) => lanesFor({ parts, files: [] }).map((lane) => lane.map(({ title }) => title))

describe('lanesFor', () => {
  it('runs beside each other what does not need each other', () => {
    expect(titlesOf(PARTS)).toEqual([
      ['types', 'checks', 'unit tests', 'integration tests'],
      ['project graph', 'lint', 'build', 'packed'],
    ])
  })

  it('runs the parts that are asked for, and what they need', () => {
    expect(titlesOf(['unit'])).toEqual([['unit tests']])
    expect(titlesOf(['packed'])).toEqual([['build', 'packed']])
  })

  it('lets only one step at a time show at once what it prints', () => {
    const [, ...others] = lanesFor({ parts: PARTS, files: [] })

    expect(others.flat().filter(({ shows }) => shows === 'at-once')).toEqual([])
  })

  it('hands files on to the tests', () => {
    const commands = lanesFor({ parts: ['unit', 'integration'], files: ['packages/clickhouse'] }).flat()

    expect(commands.map(({ command }) => command.at(-1))).toEqual(['packages/clickhouse', 'packages/clickhouse'])
  })
})
