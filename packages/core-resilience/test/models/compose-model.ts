import { equal, ok } from 'node:assert/strict'
import { ConnectionError, InfrastructureError, type Policy } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { compose, constantBackoff, createBulkhead, createFallback, createRetry, createTimeout, sleep } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

type Layer = { kind: 'timeout'; ms: number } | { kind: 'retry'; attempts: number; waitMs: number } | { kind: 'bulkhead' } | { kind: 'foreign' }
interface Attempt {
  readonly tookMs: number
  readonly fails: boolean
}

const layer: fc.Arbitrary<Layer> = fc.oneof(
  fc.record({ kind: fc.constant('timeout' as const), ms: fc.integer({ min: 5, max: 400 }) }),
  fc.record({ kind: fc.constant('retry' as const), attempts: fc.integer({ min: 1, max: 4 }), waitMs: fc.integer({ min: 1, max: 60 }) }),
  fc.constant<Layer>({ kind: 'bulkhead' }),
  fc.constant<Layer>({ kind: 'foreign' }),
)
// Odd times against whole ones: what happens at one instant in two places has no order to speak of.
const attempt: fc.Arbitrary<Attempt> = fc.record({ tookMs: fc.integer({ min: 0, max: 200 }).map((ms) => ms + 0.37), fails: fc.boolean() })

interface Outcome {
  readonly code: string
  readonly atMs: number
}

/** What the layers do, as arithmetic: no timer, no promise. The n-th call of the work goes as the n-th attempt says. */
class Reckoning {
  calls = 0
  readonly #layers: readonly Layer[]
  readonly #attempts: readonly Attempt[]

  constructor(layers: readonly Layer[], attempts: readonly Attempt[]) {
    this.#layers = layers
    this.#attempts = attempts
  }

  from(index: number, nowMs: number, deadlineMs: number, isNested: boolean): Outcome {
    const layerHere = this.#layers[index]
    if (layerHere === undefined) return this.#work(nowMs)
    if (layerHere.kind === 'timeout') return this.#timeout(index, nowMs, Math.min(deadlineMs, nowMs + layerHere.ms), isNested)
    if (layerHere.kind === 'retry') return this.#retry(index, layerHere, nowMs, deadlineMs, isNested)
    return this.from(index + 1, nowMs, deadlineMs, isNested)
  }

  #work(nowMs: number): Outcome {
    const { tookMs, fails } = this.#attempts[this.calls] ?? { tookMs: 0, fails: false }
    this.calls += 1
    return { code: fails ? 'ERR_CONNECTION' : 'ok', atMs: nowMs + tookMs }
  }

  #timeout(index: number, nowMs: number, deadlineMs: number, isNested: boolean): Outcome {
    const outcome = this.from(index + 1, nowMs, deadlineMs, isNested)
    return outcome.atMs >= deadlineMs ? { code: 'ERR_TIMEOUT', atMs: deadlineMs } : outcome
  }

  #retry(index: number, { attempts, waitMs }: Extract<Layer, { kind: 'retry' }>, nowMs: number, deadlineMs: number, isNested: boolean): Outcome {
    for (let made = 1, atMs = nowMs; ; made++) {
      const outcome = this.from(index + 1, atMs, deadlineMs, true)
      const goesOn = outcome.code !== 'ok' && !isNested && made < attempts && outcome.atMs + waitMs < deadlineMs
      if (!goesOn) return outcome
      atMs = outcome.atMs + waitMs
    }
  }
}

function policyOf(described: Layer, clock: FakeClock): Policy {
  if (described.kind === 'timeout') return createTimeout({ timeoutMs: described.ms, clock })
  if (described.kind === 'retry') return createRetry({ maxAttempts: described.attempts, backoff: constantBackoff(described.waitMs), budget: false, clock })
  if (described.kind === 'bulkhead') return createBulkhead({ maxConcurrent: 100, clock })
  // Somebody else's: hands on what it was handed.
  return { execute: async (work, call) => work((call as never) ?? { signal: new AbortController().signal }) }
}

/** Any layers in any order: the same attempts, the same outcome, at the same time as the arithmetic says; nothing left behind. */
export const composeModel: PolicyModel = {
  name: 'composition',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(fc.array(layer, { maxLength: 5 }), fc.array(attempt, { maxLength: 12 }), async (layers, attempts) => {
        const clock = new FakeClock()
        const reckoning = new Reckoning(layers, attempts)
        const expected = reckoning.from(0, 0, Infinity, false)
        let calls = 0
        const work = async (): Promise<string> => {
          const { tookMs, fails } = attempts[calls++] ?? { tookMs: 0, fails: false }
          if (tookMs > 0) await sleep(tookMs, { clock })
          if (fails) throw new ConnectionError('away')
          return 'ok'
        }
        const settled: { code: string; atMs: number }[] = []
        const note = (code: string): void => void settled.push({ code, atMs: clock.monotonic() })
        const policies = layers.map((described) => policyOf(described, clock))
        // Outermost a fallback that is for nothing: it must not be noticed.
        const never = createFallback<string>({ alternatives: [{ name: 'never', when: () => false, answer: () => 'stand-in' }] })
        void compose(never, ...policies)
          .execute(work)
          .then(note, (error: unknown) => note(InfrastructureError.isInstance(error) ? error.code : String(error)))
        await clock.advance(20_000)
        equal(settled.length, 1)
        equal(settled[0]!.code, expected.code)
        ok(Math.abs(settled[0]!.atMs - expected.atMs) < 1e-6, `settled at ${settled[0]!.atMs}, not at ${expected.atMs}`)
        equal(clock.pendingTimers, 0)
      }),
      { numRuns: runs, seed },
    ),
}
