import { deepStrictEqual, equal } from 'node:assert/strict'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { Degradation, type ServiceLevel } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

const ENTER_AFTER_MS = 100
const LEAVE_AFTER_MS = 500

type Step = { pressure: number; ms: number }
const step: fc.Arbitrary<Step> = fc.record({ pressure: fc.constantFrom(0, 0.4, 0.55, 0.6, 0.75, 0.85, 0.95, 1), ms: fc.oneof(fc.nat(60), fc.constantFrom(ENTER_AFTER_MS, LEAVE_AFTER_MS), fc.nat(700)) })

const RANK: Readonly<Record<ServiceLevel, number>> = { full: 0, reduced: 1, minimal: 2 }

/** The rules, walked through millisecond by millisecond. */
class Model {
  level: ServiceLevel = 'full'
  readonly changes: string[] = []
  /** Since when the pressure has asked for something worse, or better. */
  private movement: { worse: boolean; since: number } | undefined = undefined

  at(now: number, pressure: number): void {
    for (;;) {
      const wanted = this.wanted(pressure)
      if (wanted === this.level) {
        this.movement = undefined
        return
      }
      const worse = RANK[wanted] > RANK[this.level]
      if (this.movement?.worse !== worse) this.movement = { worse, since: now }
      if (now < this.movement.since + (worse ? ENTER_AFTER_MS : LEAVE_AFTER_MS)) return
      this.changes.push(`${this.level} → ${wanted} at ${now}`)
      this.level = wanted
      this.movement = undefined
    }
  }

  private wanted(pressure: number): ServiceLevel {
    if (pressure >= 0.9) return 'minimal'
    if (this.level === 'minimal') return pressure < 0.7 ? 'reduced' : 'minimal'
    if (pressure >= 0.7) return 'reduced'
    return this.level === 'reduced' && pressure >= 0.5 ? 'reduced' : 'full'
  }
}

/** Levels are entered and left when the rules say, one step at a time on the way up, and whoever subscribed hears each change. */
export const degradationModel: PolicyModel = {
  name: 'degradation',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const clock = new FakeClock()
        const changes: string[] = []
        const service = new Degradation({
          enterAfterMs: ENTER_AFTER_MS,
          leaveAfterMs: LEAVE_AFTER_MS,
          forgetAfterMs: 1_000_000,
          clock,
          onLevelChange: ({ from, to }) => changes.push(`${from} → ${to} at ${clock.monotonic()}`),
        })
        const isOn = { full: true, reduced: true }
        service.subscribe('full', (on) => (isOn.full = on))
        service.subscribe('reduced', (on) => (isOn.reduced = on))
        const model = new Model()
        let now = 0
        for (const { pressure, ms } of steps) {
          service.report('load', pressure)
          model.at(now, pressure)
          for (let passed = 0; passed < ms; passed++) model.at(++now, pressure)
          await clock.advance(ms)
          equal(service.level, model.level)
          deepStrictEqual(isOn, { full: service.isOn('full'), reduced: service.isOn('reduced') })
        }
        deepStrictEqual(changes, model.changes)
        service.dispose()
        equal(clock.pendingTimers, 0)
      }),
      { numRuns: runs, seed },
    ),
}
