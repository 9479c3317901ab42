import { InfrastructureError } from '@smart-whale/interfaces'
import { readCommand } from './command-line.ts'
import { runScenario } from './run-scenario.ts'
import type { Finding } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

async function run(): Promise<void> {
  const known = SCENARIOS.map(({ name }) => name)
  const { names, seed, isShort, help } = readCommand(process.argv.slice(2), known)
  if (help || names.length === 0) return print(helpText())
  for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
    print(`${scenario.name}: ${scenario.title} (seed ${seed}${isShort ? ', short form' : ''})`)
    const begun = performance.now()
    const since = (): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`
    const outcome = await runScenario(scenario, { seed, isShort, tell: (line) => print(`  ${since()}  ${line}`) }).then(judged, failed)
    print(`${scenario.name}: ${outcome} (${since()})\n`)
    if (outcome !== HOLDS) process.exitCode = 1
  }
}

const HOLDS = 'holds'

function judged(findings: readonly Finding[]): string {
  for (const finding of findings) print(lineOf(finding))
  const missed = findings.filter(({ isMet }) => !isMet)
  return missed.length === 0 ? HOLDS : `does not hold: ${missed.map(({ what }) => what).join('; ')}`
}

/** The runs behind it are worth as much without it. */
const failed = (error: unknown): string => `did not come to its end: ${textOf(error)}`

const lineOf = ({ what, found, goal, isMet }: Finding): string => `  ${isMet ? 'ok  ' : 'FAIL'} ${what}: ${found}${found === goal ? '' : ` (goal ${goal})`}`

function helpText(): string {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length))
  return `npm run test:faults -- NAME … [--seed N] [--short]

Faults under load on real engines, and what must hold all the same. The seed fixes the schedule.

${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}`).join('\n')}
  ${'all'.padEnd(width)}  one after another`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

const textOf = (error: unknown): string => (InfrastructureError.isInstance(error) ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error))

run().catch((error: unknown) => {
  process.stderr.write(`faults: ${textOf(error)}\n`)
  process.exitCode = 1
})
