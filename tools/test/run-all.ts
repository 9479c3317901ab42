// What `npm test` runs: every step, also after one that failed, and one line at the end that says how many passed.
import { HELP, parseOptions } from './parse-options.ts'
import type { Outcome } from './outcome.ts'
import { runStep } from './run-step.ts'
import { startPrefetch } from './start-prefetch.ts'
import { type Lane, lanesFor } from './steps.ts'
import { judge, summarize } from './summary.ts'

const print = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, process.env)
  if (options.help) {
    process.stdout.write(HELP)
    return 0
  }
  const stop = new AbortController()
  // The same signal comes twice where a whole group is told: by itself, and from whoever supervises this. The second one must not end it in the middle.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())

  const runsAll = options.parts.includes('integration') && options.files.length === 0
  const prefetch = runsAll ? startPrefetch() : undefined
  const lanes = await Promise.all(lanesFor(options).map((lane) => runLane(lane, { ...options, signal: stop.signal })))
  const outcomes = lanes.flat()
  await prefetch?.end()
  if (stop.signal.aborted) outcomes.push({ name: 'the run', state: 'failed', reason: 'was stopped before its end' })
  for (const line of summarize(outcomes)) print(line)
  return outcomes.some((outcome) => outcome.state === 'failed') ? 1 : 0
}

/** One step after the other, until the run is stopped. */
async function runLane(lane: Lane, { signal, requireReal }: { signal: AbortSignal; requireReal: boolean }): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const step of lane) {
    if (signal.aborted) break
    const startedAt = Date.now()
    const found = judge(await runStep(step, { signal, print }), { requireReal })
    outcomes.push(...found)
    print(`   ${step.title}: ${verdict(found)} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
  }
  return outcomes
}

function verdict(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter((outcome) => outcome.state === 'failed').length
  return failed === 0 ? 'passed' : `${failed} FAILED`
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof TypeError ? error.message : String(error instanceof Error ? error.stack : error)}\n`)
    process.exitCode = 1
  },
)
