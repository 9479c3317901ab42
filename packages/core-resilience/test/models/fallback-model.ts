import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import { ConnectionError, InfrastructureError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { compose, createTimeout, type FallbackEvent, FallbackManager, FallbacksFailedError, sleep } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

interface Alternative {
  readonly fits: 'any' | 'yes' | 'no' | 'throws'
  readonly tookMs: number
  readonly fails: boolean
}

interface Course {
  /** Where the deadline is, if there is one. */
  readonly arrangement: 'no deadline' | 'deadline around' | 'deadline within'
  readonly work: { readonly tookMs: number; readonly ends: 'well' | 'away' | 'wrong input' }
  readonly alternatives: readonly Alternative[]
  /** When the caller gives up; Infinity for never. */
  readonly leavesAtMs: number
}

const TIMEOUT_MS = 100

// Times of work, deadlines and callers never coincide: what happens at one instant in two places has no order to speak of.
const took = fc.integer({ min: 0, max: 60 }).map((ms) => (ms === 0 ? 0 : ms + 0.37))
const course: fc.Arbitrary<Course> = fc.record({
  arrangement: fc.constantFrom('no deadline' as const, 'deadline around' as const, 'deadline within' as const),
  work: fc.record({ tookMs: fc.oneof(took, fc.constant(150.37)), ends: fc.constantFrom('well' as const, 'away' as const, 'away' as const, 'wrong input' as const) }),
  alternatives: fc.array(fc.record({ fits: fc.constantFrom('any' as const, 'yes' as const, 'no' as const, 'throws' as const), tookMs: took, fails: fc.boolean() }), { minLength: 1, maxLength: 4 }),
  leavesAtMs: fc.oneof({ weight: 2, arbitrary: fc.constant(Infinity) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 250 }).map((ms) => ms + 0.71) }),
})

interface Told {
  /** `work`, the number of the alternative that answered, or the code of the failure. */
  outcome: string
  atMs: number
  /** Alternatives that were begun, with when. */
  begun: string[]
  /** What became of each, in `FallbacksFailedError` or in the event of an answer. */
  before: string[]
  answered: string[]
}

/** What should happen, as arithmetic. */
function reckon({ arrangement, work, alternatives, leavesAtMs }: Course): Told {
  const told: Told = { outcome: 'work', atMs: 0, begun: [], before: [], answered: [] }
  const end = (outcome: string, atMs: number): Told => Object.assign(told, { outcome, atMs })
  const givesUpAtMs = Math.min(leavesAtMs, arrangement === 'deadline around' ? TIMEOUT_MS : Infinity)
  const givenUp = (): Told => end(leavesAtMs < TIMEOUT_MS || arrangement !== 'deadline around' ? 'ERR_ABORTED' : 'ERR_TIMEOUT', givesUpAtMs)
  // A chain without a deadline waits for what is under way.
  const leavesAtOnce = arrangement !== 'no deadline'

  let nowMs = arrangement === 'deadline within' ? Math.min(TIMEOUT_MS, work.tookMs) : work.tookMs
  if (leavesAtOnce && nowMs > givesUpAtMs) return givenUp()
  const failure = nowMs < work.tookMs ? 'ERR_TIMEOUT' : work.ends === 'well' ? undefined : work.ends === 'away' ? 'ERR_CONNECTION' : 'ERR_VALIDATION'
  if (failure === undefined) return end('work', nowMs)
  if (failure === 'ERR_VALIDATION') return end(failure, nowMs)

  for (const [index, { fits, tookMs, fails }] of alternatives.entries()) {
    if (nowMs > givesUpAtMs) return end(failure, nowMs)
    if (fits === 'no' || fits === 'throws') {
      told.before.push(`${index} ${fits === 'no' ? 'not_applicable' : 'failed'}`)
      continue
    }
    told.begun.push(`${index} at ${nowMs.toFixed(2)}`)
    nowMs += tookMs
    if (leavesAtOnce && nowMs > givesUpAtMs) return givenUp()
    if (!fails) {
      told.answered.push(`${index} after ${told.before.join(', ')}`)
      return end(String(index), nowMs)
    }
    told.before.push(`${index} failed`)
  }
  const noneWasFor = told.before.every((outcome) => outcome.endsWith('not_applicable'))
  return end(noneWasFor ? failure : 'ERR_FALLBACKS_FAILED', nowMs)
}

/** What does happen. */
async function run({ arrangement, work, alternatives, leavesAtMs }: Course): Promise<Told> {
  const clock = new FakeClock()
  const told: Told = { outcome: 'nothing', atMs: -1, begun: [], before: [], answered: [] }
  const list = (before: FallbackEvent['before']): string[] => before.map(({ name, outcome }) => `${name} ${outcome}`)
  const fallback = new FallbackManager<string>({
    alternatives: alternatives.map(({ fits, tookMs, fails }, index) => ({
      name: String(index),
      when: fits === 'any' ? undefined : () => fits === 'yes' || (fits === 'throws' && unfit()),
      answer: async ({ before }) => {
        deepStrictEqual(list(before), list(before).slice(0, index))
        told.begun.push(`${index} at ${clock.monotonic().toFixed(2)}`)
        if (tookMs > 0) await sleep(tookMs, { clock })
        if (fails) throw new ConnectionError('no better')
        return String(index)
      },
    })),
    onFallback: ({ alternative, before }) => told.answered.push(`${alternative} after ${list(before).join(', ')}`),
  })
  const timeout = createTimeout({ timeoutMs: TIMEOUT_MS, clock })
  const policy = arrangement === 'no deadline' ? fallback : arrangement === 'deadline around' ? compose<string>(timeout, fallback) : compose<string>(fallback, timeout)
  const caller = new AbortController()
  if (leavesAtMs < Infinity) clock.setTimeout(() => caller.abort(), leavesAtMs)
  const guarded = async (): Promise<string> => {
    if (work.tookMs > 0) await sleep(work.tookMs, { clock })
    if (work.ends === 'away') throw new ConnectionError('away')
    if (work.ends === 'wrong input') throw new ValidationError('wrong', { issues: [] })
    return 'work'
  }
  const settle = (outcome: string): void => void Object.assign(told, { outcome, atMs: clock.monotonic() })
  policy.execute(guarded, { signal: caller.signal }).then(settle, (error: unknown) => {
    settle(InfrastructureError.isInstance(error) ? error.code : String(error))
    if (FallbacksFailedError.isInstance(error)) told.before = list(error.alternatives)
  })
  await clock.advance(2_000)
  equal(clock.pendingTimers, 0)
  const { byAlternative } = fallback.answers
  deepStrictEqual(Object.keys(byAlternative).filter((name) => byAlternative[name]! > 0), told.answered.map((answer) => answer[0]))
  return told
}

function unfit(): never {
  throw new TypeError('a condition that throws')
}

/** Alternatives are asked one after the other as long as somebody waits; who answers, when, and what is told of those before. */
export const fallbackModel: PolicyModel = {
  name: 'fallback',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(course, async (chosen) => {
        const [expected, found] = [reckon(chosen), await run(chosen)]
        equal(found.outcome, expected.outcome)
        ok(Math.abs(found.atMs - expected.atMs) < 1e-6, `settled at ${found.atMs}, not at ${expected.atMs}`)
        deepStrictEqual(found.begun, expected.begun)
        deepStrictEqual(found.answered, expected.answered)
        if (expected.outcome === 'ERR_FALLBACKS_FAILED') deepStrictEqual(found.before, expected.before)
      }),
      { numRuns: runs, seed },
    ),
}
