import { deepStrictEqual, equal } from 'node:assert/strict'
import { ConnectionError, OperationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { createHedge, sleep } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

interface Try {
  readonly tookMs: number
  readonly ends: 'answers' | 'fails' | 'refuses'
}

const oneTry: fc.Arbitrary<Try> = fc.record({
  tookMs: fc.integer({ min: 0, max: 300 }).map((ms) => ms + 0.37),
  ends: fc.constantFrom('answers', 'answers', 'fails', 'refuses'),
})

interface Outcome {
  readonly answer: string
  readonly atMs: number
  /** Tries whose signal must have aborted: begun, not ended when it was decided. */
  readonly aborted: readonly number[]
}

/** Who wins, reckoned from a list of what ends when. */
function reckon(tries: readonly Try[], maxAttempts: number, delayMs: number): Outcome & { begun: number } {
  const begun: { endsAtMs: number; number: number }[] = []
  let nextAtMs = 0
  let firstFailure: string | undefined
  for (;;) {
    const ending = begun.filter(({ endsAtMs }) => endsAtMs !== Infinity).sort((one, other) => one.endsAtMs - other.endsAtMs)[0]
    const mayBegin = begun.length < maxAttempts
    if (mayBegin && (ending === undefined || nextAtMs <= ending.endsAtMs)) {
      begun.push({ endsAtMs: nextAtMs + (tries[begun.length]?.tookMs ?? 0.37), number: begun.length })
      nextAtMs += delayMs
      continue
    }
    if (ending === undefined) return { answer: firstFailure!, atMs: 0, aborted: [], begun: begun.length }
    const { ends } = tries[ending.number] ?? { ends: 'answers' }
    const atMs = ending.endsAtMs
    ending.endsAtMs = Infinity
    const others = begun.filter(({ endsAtMs }) => endsAtMs !== Infinity)
    if (ends !== 'fails') return { answer: `${ends} ${ending.number}`, atMs, aborted: others.map(({ number }) => number), begun: begun.length }
    firstFailure ??= `fails ${ending.number}`
    if (others.length > 0) continue
    if (begun.length >= maxAttempts) return { answer: firstFailure, atMs, aborted: [], begun: begun.length }
    nextAtMs = atMs
  }
}

/** The first answer wins at the time at which it comes, the others hear that they have lost, and so many tries are made as are needed. */
export const hedgeModel: PolicyModel = {
  name: 'hedge',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(fc.array(oneTry, { minLength: 4, maxLength: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 150 }), async (tries, maxAttempts, delayMs) => {
        const clock = new FakeClock()
        const expected = reckon(tries, maxAttempts, delayMs)
        const signals: AbortSignal[] = []
        const found: { answer: string; atMs: number }[] = []
        const note = (answer: string): void => void found.push({ answer, atMs: Math.round(clock.monotonic() * 1000) })
        const work = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
          const number = signals.push(signal) - 1
          const { tookMs, ends } = tries[number]!
          await sleep(tookMs, { clock })
          if (ends === 'fails') throw new ConnectionError(`fails ${number}`)
          if (ends === 'refuses') throw new OperationError(`refuses ${number}`)
          return `answers ${number}`
        }
        createHedge({ delayMs, maxAttempts, clock })
          .execute(work)
          .then(note, (error: Error) => note(error.message))
        await clock.advance(2000)
        deepStrictEqual(found, [{ answer: expected.answer, atMs: Math.round(expected.atMs * 1000) }])
        equal(signals.length, expected.begun)
        deepStrictEqual(signals.flatMap(({ aborted }, number) => (aborted ? [number] : [])), expected.aborted)
        equal(clock.pendingTimers, 0)
      }),
      { numRuns: runs, seed },
    ),
}
