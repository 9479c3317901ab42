import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runScenario } from './run-scenario.ts'
import { mustBe, type Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

const settings = { seed: 1, isShort: true, tell: () => {} }

describe('runs', () => {
  // Loading them all loads most of the workspace: seconds on a busy machine.
  it('are each in a file of their name, and can be loaded', async () => {
    const files = (await readdir(join(import.meta.dirname, 'scenarios'))).map((file) => basename(file, '.ts'))

    expect(SCENARIOS.map(({ name }) => name).toSorted()).toEqual(files.toSorted())
    for (const scenario of SCENARIOS) expect(await scenario.load()).toBeTypeOf('function')
  })

  it('that cannot be loaded leave nothing behind, and do not stop the others', async () => {
    const whole: Scenario = { name: 'whole', title: '', hasShortForm: false, load: async () => async () => [mustBe('runs', true, true)] }
    const broken: Scenario = { ...whole, name: 'broken', load: () => Promise.reject(new SyntaxError('Unexpected token')) }

    await expect(runScenario(broken, settings)).rejects.toThrow('Unexpected token')
    expect(await runScenario(whole, settings)).toEqual([expect.objectContaining({ isMet: true })])
  })

  it('close what they opened, the last one first, and then go with their folder', async () => {
    const closed: string[] = []
    let inside = ''
    const scenario: Scenario = {
      name: 'closing',
      title: '',
      hasShortForm: false,
      load: async () => async (run) => {
        inside = run.folder
        await mkdir(join(run.folder, 'data'))
        for (const what of ['broker', 'worker']) run.atEnd(async () => void closed.push(what))
        return []
      },
    }

    await runScenario(scenario, settings)

    expect(closed).toEqual(['worker', 'broker'])
    await expect(readdir(inside)).rejects.toThrow('ENOENT')
  })
})
