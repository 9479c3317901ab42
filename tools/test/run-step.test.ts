import { describe, expect, it } from 'vitest'
import { runStep } from './run-step.ts'
import type { Step } from './steps.ts'

const step = (script: string, more: Partial<Step> = {}): Step => ({
  part: 'check',
  title: 'a step',
  command: [process.execPath, '-e', script],
  limitMs: 10_000,
  counts: 'one',
  shows: 'failure',
  ...more,
})
const writes = (outcomes: unknown, code = 0) =>
  `require('node:fs').writeFileSync(process.env.SMART_WHALE_OUTCOMES, ${JSON.stringify(JSON.stringify(outcomes))}); process.exit(${code})`
const run = (it: Step, printed: string[] = [], signal = new AbortController().signal) =>
  runStep(it, { signal, print: (line) => printed.push(line) })

describe('runStep', () => {
  it('takes the exit code as the outcome', async () => {
    expect(await run(step(''))).toEqual([{ name: 'a step', state: 'passed' }])
    expect(await run(step('process.exit(3)'))).toMatchObject([
      { name: 'a step', state: 'failed', reason: expect.stringContaining('exit code 3') },
    ])
  })

  it('shows what a step printed when it has ended, or then only if it failed', async () => {
    const printed: string[] = []

    await run(step('console.log("all is well")'), printed)
    await run(step('console.log("it broke"); process.exitCode = 1'), printed)
    await run(step('console.log("a list")', { shows: 'at-end' }), printed)

    expect(printed).toEqual(['\n── a step', '\n── a step', 'it broke', '\n── a step', 'a list'])
  })

  it('lets one in the background take only what the others leave', async () => {
    const printed: string[] = []
    const tellPriority = 'setTimeout(() => console.log(require("node:os").getPriority()), 200)'

    await run(step(tellPriority, { shows: 'at-end', isBackground: true }), printed)

    expect(printed.at(-1)).toBe('10')
  })

  it('counts what the step has counted', async () => {
    expect(await run(step(writes([{ name: 'x', state: 'passed' }]), { counts: 'many' }))).toEqual([{ name: 'a step › x', state: 'passed' }])
  })

  it('does not count a failure twice', async () => {
    expect(await run(step(writes([{ name: 'x', state: 'failed' }], 1), { counts: 'many' }))).toHaveLength(1)
  })

  it('notices a step that broke although all it counted had passed', async () => {
    const outcomes = await run(step(writes([{ name: 'x', state: 'passed' }], 1), { counts: 'many' }))

    expect(outcomes.map((outcome) => outcome.state)).toEqual(['passed', 'failed'])
  })

  it('notices a step that ended well without saying what it ran', async () => {
    expect(await run(step('', { counts: 'many' }))).toMatchObject([{ state: 'failed' }])
  })

  it('stops a step at its limit', async () => {
    expect(await run(step('setTimeout(() => {}, 60000)', { limitMs: 300 }))).toMatchObject([
      { state: 'failed', reason: expect.stringContaining('did not finish') },
    ])
  })

  it('stops a step when the run is stopped', async () => {
    expect(await run(step('setTimeout(() => {}, 60000)'), [], AbortSignal.timeout(300))).toMatchObject([
      { state: 'failed', reason: expect.stringContaining('was stopped') },
    ])
  })

  it('says that a command does not exist', async () => {
    const printed: string[] = []

    expect(await run({ ...step(''), command: ['no-such-command-here'] }, printed)).toMatchObject([{ state: 'failed' }])
    expect(printed.join()).toMatch(/ENOENT/)
  })
})
