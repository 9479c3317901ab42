import { deadDependency } from '../../../../packages/core-resilience/test/figures/dead-dependency.ts'
import { halfOpenPermits } from '../../../../packages/core-resilience/test/figures/half-open-permits.ts'
import { retryBurst } from '../../../../packages/core-resilience/test/figures/retry-burst.ts'
import { ALL_MODELS } from '../../../../packages/core-resilience/test/models/all-models.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'

const FULL_HISTORIES = 100_000
const SHORT_HISTORIES = 1_000

/** Random histories of every policy beside a model of it, and what an outage looks like, all on a clock that only the run moves. */
export async function models(run: FaultRun): Promise<readonly Finding[]> {
  const histories = run.isShort ? SHORT_HISTORIES : FULL_HISTORIES
  const findings: Finding[] = []
  for (const model of ALL_MODELS) {
    const difference = await model.check(histories, run.seed).then(
      () => 'none',
      (error: unknown) => (error as Error).message,
    )
    run.tell(`${model.name}: ${histories} histories`)
    findings.push(mustBe(`${model.name}: histories that differ from the model, of ${histories}`, difference, 'none'))
  }
  return [...findings, ...(await outageFindings(run.seed))]
}

async function outageFindings(seed: number): Promise<readonly Finding[]> {
  const choices = new SeededChoices(seed)
  const random = (): number => choices.fraction()
  const outages = [
    ['refuses, with a breaker', await deadDependency('refuses', true, random)],
    ['black hole, with a breaker', await deadDependency('black hole', true, random)],
    ['refuses, retries with a budget alone', await deadDependency('refuses', false, random)],
  ] as const
  const burst = await retryBurst(random)
  const permits = await halfOpenPermits(3)
  return [
    ...outages.flatMap(([death, { callsPerRequest, successAfterReturn }]) => [
      bound(`dead for 60 s (${death}): calls to it for each request`, callsPerRequest, '≤ 1.25', callsPerRequest <= 1.25),
      bound(`dead for 60 s (${death}): success from the fifth second after its return`, successAfterReturn, '≥ 0.95', successAfterReturn >= 0.95),
    ]),
    bound('1,000 callers fail in one millisecond: most retries in 10 ms, against the mean', burst.peakAgainstMean, '≤ 3', burst.peakAgainstMean <= 3),
    mustBe('half-open, 3 permits, 1,000 callers at once: let through', permits.mostAtOnce, 3),
  ]
}

function bound(what: string, found: number, goal: string, isMet: boolean): Finding {
  return { what, found: found.toFixed(4), goal, isMet }
}
