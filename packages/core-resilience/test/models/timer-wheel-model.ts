import { deepStrictEqual, equal } from 'node:assert/strict'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { TimerEntry, TimerWheel } from '../../src/executor/timer-wheel.ts'
import type { PolicyModel } from './policy-model.ts'

class Noting extends TimerEntry {
  readonly id: number
  readonly #expired: number[]

  constructor(id: number, expired: number[]) {
    super()
    this.id = id
    this.#expired = expired
  }

  expire(): void {
    this.#expired.push(this.id)
  }
}

type Step = { kind: 'add'; delayMs: number } | { kind: 'remove'; choice: number } | { kind: 'pass'; ms: number }

const anyDelay = fc.oneof(fc.nat(70), fc.nat(5_000), fc.constantFrom(0, 63, 64, 4_095, 4_096, 262_144), fc.double({ min: 0, max: 200, noNaN: true }), fc.nat(2 ** 31 - 1))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), delayMs: anyDelay }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), choice: fc.nat(50) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: anyDelay }) },
)

/** The wheel does what a list sorted by time would do: everything in its order, at its time, once. */
export const timerWheelModel: PolicyModel = {
  name: 'timer wheel',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new FakeClock()
        const wheel = new TimerWheel(clock)
        const expired: number[] = []
        const waiting: Noting[] = []
        const expected: number[] = []
        for (const [id, next] of steps.entries()) {
          if (next.kind === 'add') {
            const entry = new Noting(id, expired)
            waiting.push(entry)
            wheel.add(entry, clock.monotonic() + next.delayMs, clock.monotonic())
          } else if (next.kind === 'remove') {
            const [entry] = waiting.splice(next.choice % Math.max(1, waiting.length), 1)
            if (entry !== undefined) wheel.remove(entry)
          } else {
            await clock.advance(next.ms)
            const due = waiting.filter(({ dueAtMs }) => dueAtMs <= clock.monotonic()).sort((one, other) => one.dueAtMs - other.dueAtMs)
            for (const entry of due) waiting.splice(waiting.indexOf(entry), 1)
            expected.push(...due.map((entry) => entry.id))
          }
          deepStrictEqual(expired, expected)
          equal(wheel.size, waiting.length)
          equal(clock.pendingTimers, waiting.length > 0 ? 1 : 0)
        }
      }),
      { numRuns: runs, seed },
    ),
}
