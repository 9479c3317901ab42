import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'
import { writeOutcomes, type Outcome } from './outcome.ts'

type ConsoleLog = Parameters<NonNullable<Reporter['onUserConsoleLog']>>[0]
type RunError = Parameters<NonNullable<Reporter['onTestRunEnd']>>[1][number]

/** Files that take less are not worth a word. */
const SLOW_SECONDS = 10

/** Vitest reporter: hands every test's outcome to the run as a whole. A unit test that prints has failed. */
export default class OutcomeReporter implements Reporter {
  readonly #printed = new Map<string, string>()
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onUserConsoleLog(log: ConsoleLog): void {
    const key = log.taskId ?? ''
    this.#printed.set(key, (this.#printed.get(key) ?? '') + log.content)
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly RunError[]): void {
    const outcomes: Outcome[] = errors.map((error) => ({
      name: 'outside of any test',
      state: 'failed',
      reason: error.stack ?? error.message,
    }))
    for (const module of modules) outcomes.push(...this.#outcomesOf(module))
    writeOutcomes(outcomes)
    this.#tellSlowest(modules)
    // Without this a test that failed only for what it printed would leave Vitest's own exit code at 0.
    if (outcomes.some((outcome) => outcome.state === 'failed')) process.exitCode = 1
  }

  /** A run of many minutes has to say what takes them: whoever adds a test sees what it costs. */
  #tellSlowest(modules: readonly TestModule[]): void {
    const timed = modules.map((module) => ({ name: this.#nameOf(module), seconds: module.diagnostic().duration / 1000 })).filter(({ seconds }) => seconds >= SLOW_SECONDS)
    const slowest = timed.sort((one, other) => other.seconds - one.seconds).slice(0, 10)
    if (slowest.length > 0) process.stdout.write(`  slowest files: ${slowest.map(({ name, seconds }) => `${name} ${seconds.toFixed(0)} s`).join(', ')}\n`)
  }

  #outcomesOf(module: TestModule): Outcome[] {
    const tests = [...module.children.allTests()]
    const outcomes = tests.map((test) => this.#outcomeOf(test, module))
    // It did not load, or a hook of the file failed.
    const broken = module.state() === 'failed' && !outcomes.some((outcome) => outcome.state === 'failed')
    if (broken) outcomes.push({ name: this.#nameOf(module), state: 'failed', reason: reasonFrom(errorsOf(module)) })
    const printed = this.#mayPrint(module) ? undefined : this.#printed.get(module.id)
    if (printed !== undefined) outcomes.push({ name: this.#nameOf(module), state: 'failed', reason: `printed: ${printed.trim()}` })
    return outcomes
  }

  #outcomeOf(test: TestCase, module: TestModule): Outcome {
    const name = `${this.#nameOf(module)} › ${test.fullName}`
    const result = test.result()
    if (result.state === 'skipped') return { name, state: 'skipped', ...(result.note !== undefined && { reason: result.note }) }
    if (result.state === 'pending') return { name, state: 'failed', reason: 'never ran' }
    if (result.state === 'failed') return { name, state: 'failed', reason: reasonFrom(result.errors) }
    const printed = this.#mayPrint(module) ? undefined : this.#printed.get(test.id)
    return printed === undefined ? { name, state: 'passed' } : { name, state: 'failed', reason: `printed: ${printed.trim()}` }
  }

  #nameOf(module: TestModule): string {
    return module.moduleId.replace(`${this.#vitest?.config.root ?? ''}/`, '')
  }

  #mayPrint(module: TestModule): boolean {
    return module.project.name !== 'unit'
  }
}

function errorsOf(module: TestModule): readonly { message: string }[] {
  return [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())]
}

function reasonFrom(errors: readonly { message: string }[]): string {
  return errors.map((error) => error.message).join('\n') || 'no reason given'
}
