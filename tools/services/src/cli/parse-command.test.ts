import { describe, expect, it } from 'vitest'
import { SERVICES } from '../service-catalogue.ts'
import { help, parseCommand } from './parse-command.ts'

const namesOf = (args: string[]): string[] => parseCommand(args).services.map(({ name }) => name)

describe('parseCommand', () => {
  it('brings up what is named, each once', () => {
    expect(namesOf(['up', 'kafka', 'redis', 'kafka'])).toEqual(['kafka', 'redis'])
  })

  it('brings up what is usual when nothing is named, and looks at all', () => {
    expect(namesOf(['up'])).toEqual(['kafka', 'timescaledb', 'clickhouse', 'redis'])
    expect(namesOf(['status'])).toEqual(SERVICES.map(({ name }) => name))
    expect(parseCommand(['down']).areNamed).toBe(false)
  })

  it('names what there is when a word is unknown', () => {
    expect(() => parseCommand(['start'])).toThrow('unknown command "start": use up, down, status, env')
    expect(() => parseCommand(['up', 'kafak'])).toThrow(/unknown service "kafak": use kafka, kafka-cluster,/)
  })

  it('helps when asked nothing', () => {
    expect(parseCommand([]).verb).toBe('help')
    for (const { name, variables } of SERVICES) expect(help()).toMatch(new RegExp(`^  ${name} .*\\(${variables[0]}\\)$`, 'm'))
  })
})
