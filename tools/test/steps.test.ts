import { describe, expect, it } from 'vitest'
import { PARTS } from './parse-options.ts'
import { stagesFor } from './steps.ts'

const titlesOf = (parts: readonly (typeof PARTS)[number][]) => stagesFor({ parts, files: [] }).map((stage) => stage.map((lane) => lane.map(({ title }) => title)))

describe('stagesFor', () => {
  it('runs beside each other what does not need each other', () => {
    expect(titlesOf(PARTS)).toEqual([
      [['types', 'checks'], ['project graph', 'lint']],
      [['unit tests']],
      [['integration tests'], ['build', 'packed']],
    ])
  })

  it('runs the parts that are asked for, and what they need', () => {
    expect(titlesOf(['unit'])).toEqual([[['unit tests']]])
    expect(titlesOf(['packed'])).toEqual([[['build', 'packed']]])
  })

  it('lets only one step at a time show at once what it prints', () => {
    const others = stagesFor({ parts: PARTS, files: [] }).flatMap((stage) => stage.slice(1).flat())

    expect(others.filter(({ shows }) => shows === 'at-once')).toEqual([])
  })

  it('hands files on to the tests', () => {
    const commands = stagesFor({ parts: ['unit', 'integration'], files: ['packages/clickhouse'] }).flat(2)

    expect(commands.map(({ command }) => command.at(-1))).toEqual(['packages/clickhouse', 'packages/clickhouse'])
  })
})
