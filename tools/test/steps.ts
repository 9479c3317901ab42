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
  /** When what it prints is shown: at once, when it has ended, or then only if it failed. */
  shows: 'at-once' | 'at-end' | 'failure'
  /** Takes only what the others leave of the machine. */
  isBackground?: boolean
}

/** Steps one after the other. */
export type Lane = readonly Step[]

const MINUTE = 60_000

/**
 * Everything that `npm test` runs, in two lanes beside each other: so both cores of a small machine have something to do. In each, what fails fast comes first.
 * Only what is in the first one shows at once what it prints.
 */
export function lanesFor({ parts, files }: Pick<Options, 'parts' | 'files'>): Lane[] {
  // What is packed is what was built.
  const isAskedFor = ({ part }: Step): boolean => parts.includes(part) || (part === 'build' && parts.includes('packed'))
  return [testing(files), linting()].map((lane) => lane.filter(isAskedFor)).filter((lane) => lane.length > 0)
}

function testing(files: readonly string[]): Lane {
  return [
    { part: 'check', title: 'types', command: ['tsc', '-p', 'tsconfig.json', '--noEmit'], limitMs: 4 * MINUTE, counts: 'one', shows: 'at-once' },
    { part: 'check', title: 'checks', command: ['node', 'tools/checks/run.ts'], limitMs: 3 * MINUTE, counts: 'many', shows: 'at-once' },
    { part: 'unit', title: 'unit tests', command: vitest('unit', files), limitMs: 8 * MINUTE, counts: 'many', shows: 'at-once' },
    // Much of an integration test is waiting for a server: three at a time leave a core something to do still.
    { part: 'integration', title: 'integration tests', command: vitest('integration*', ['--maxWorkers=3', ...files]), limitMs: 45 * MINUTE, counts: 'many', shows: 'at-once' },
  ]
}

/** Beside the tests it takes longer, and the whole run less. */
function linting(): Lane {
  return [
    // The boundary rule reads the graph that Nx has cached, and says nothing when there is none.
    { part: 'check', title: 'project graph', command: ['nx', 'graph', '--print'], limitMs: 2 * MINUTE, counts: 'one', shows: 'failure' },
    { part: 'check', title: 'lint', command: ['eslint', '.', '--max-warnings=0'], limitMs: 6 * MINUTE, counts: 'one', shows: 'at-end' },
    { part: 'build', title: 'build', command: ['nx', 'run-many', '-t', 'build', '--output-style=static'], limitMs: 15 * MINUTE, counts: 'one', shows: 'failure', isBackground: true },
    { part: 'packed', title: 'packed', command: ['node', 'tools/packed/run.ts'], limitMs: 20 * MINUTE, counts: 'many', shows: 'at-end', isBackground: true },
  ]
}

function vitest(project: string, more: readonly string[]): Step['command'] {
  return ['vitest', 'run', '--project', project, '--passWithNoTests', '--reporter=dot', '--reporter=./tools/test/outcome-reporter.ts', ...more]
}
