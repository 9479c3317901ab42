import type { Options, Part } from './parse-options.ts'

/** One command that `npm test` runs. */
export interface Step {
  part: Part
  title: string
  command: readonly [string, ...string[]]
  /** After this long it has failed. */
  limitMs: number
  /** `one`: the exit code is the outcome. `many`: the command writes its outcomes. */
  counts: 'one' | 'many'
  /** What it prints is shown only when it fails. */
  quiet?: boolean
}

const MINUTE = 60_000

/** Everything that `npm test` runs, in this order: what fails fast comes first. */
export function stepsFor({ parts, files }: Pick<Options, 'parts' | 'files'>): Step[] {
  const reporters = ['--reporter=dot', '--reporter=./tools/test/outcome-reporter.ts']
  const vitest = (project: string, ...more: string[]): Step['command'] => ['vitest', 'run', '--project', project, '--passWithNoTests', ...more, ...reporters, ...files]
  const steps: Step[] = [
    { part: 'check', title: 'types', command: ['tsc', '-p', 'tsconfig.json', '--noEmit'], limitMs: 4 * MINUTE, counts: 'one' },
    // The boundary rule reads the graph that Nx has cached, and says nothing when there is none.
    { part: 'check', title: 'project graph', command: ['nx', 'graph', '--print'], limitMs: 2 * MINUTE, counts: 'one', quiet: true },
    { part: 'check', title: 'lint', command: ['eslint', '.', '--max-warnings=0'], limitMs: 4 * MINUTE, counts: 'one' },
    { part: 'check', title: 'checks', command: ['node', 'tools/checks/run.ts'], limitMs: 3 * MINUTE, counts: 'many' },
    { part: 'unit', title: 'unit tests', command: vitest('unit'), limitMs: 8 * MINUTE, counts: 'many' },
    // Most of an integration test is waiting for a server: three at a time keep two cores busy.
    { part: 'integration', title: 'integration tests', command: vitest('integration', '--maxWorkers=3'), limitMs: 45 * MINUTE, counts: 'many' },
    {
      part: 'build',
      title: 'build',
      command: ['nx', 'run-many', '-t', 'build', '--output-style=static'],
      limitMs: 5 * MINUTE,
      counts: 'one',
      quiet: true,
    },
    { part: 'packed', title: 'packed', command: ['node', 'tools/packed/run.ts'], limitMs: 8 * MINUTE, counts: 'many' },
  ]
  // What is packed is what was built.
  return steps.filter(({ part }) => parts.includes(part) || (part === 'build' && parts.includes('packed')))
}
