import { equal, ok } from 'node:assert/strict'
import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { BreakerManager } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'
import { KEEP_MS, LOOK_EVERY_MS, OPEN_MS, Place, Process, TIMEOUT_MS, type Words } from './shared-breaker-rules.ts'
import { type LinkMode, SharedEntry, SkewedClock } from './shared-link.ts'

const KEY = 'db'
const PROCESSES = 3

type Step =
  | { kind: 'call'; process: number; failed: boolean }
  | { kind: 'trip' | 'reset'; process: number }
  | { kind: 'link'; process: number; mode: LinkMode }
  | { kind: 'skew'; process: number; ms: number }
  | { kind: 'land'; choice: number }
  | { kind: 'empty' }
  | { kind: 'pass'; ms: number }

class Bench {
  readonly base = new FakeClock()
  readonly entry = new SharedEntry(this.base)
  readonly place = new Place(this.base)
  readonly clocks = Array.from({ length: PROCESSES }, (_, id) => new SkewedClock(this.base, id * 777_777))
  readonly links = this.clocks.map(() => ({ mode: 'well' as LinkMode }))
  readonly managers = this.clocks.map(
    (clock, id) =>
      new BreakerManager({
        consecutiveFailures: 1,
        minimumCalls: Infinity,
        openMs: OPEN_MS,
        clock,
        share: { cache: this.entry.through(this.links[id]!), lookEveryMs: LOOK_EVERY_MS, timeoutMs: TIMEOUT_MS, keepMs: KEEP_MS },
      }),
  )
  readonly names = new Map<number, string>()
  readonly processes = this.clocks.map((_, id) => new Process(id, this.place, (by) => this.names.get(by) ?? ''))

  async take(step: Step): Promise<void> {
    const now = this.base.monotonic()
    if (step.kind === 'call') await this.call(step.process, step.failed)
    if (step.kind === 'trip') this.managers[step.process]!.tripBreaker(KEY)
    if (step.kind === 'trip') this.processes[step.process]!.trip(now)
    if (step.kind === 'reset') this.managers[step.process]!.resetBreaker(KEY)
    if (step.kind === 'reset') this.processes[step.process]!.reset(now)
    if (step.kind === 'link') this.links[step.process]!.mode = this.processes[step.process]!.link = step.mode
    if (step.kind === 'skew') this.clocks[step.process]!.skewMs += step.ms
    if (step.kind === 'land') this.land(step.choice)
    if (step.kind === 'empty') this.entry.write(undefined, 0)
    if (step.kind === 'empty') this.place.untilMs = 0
    await this.base.advance(step.kind === 'pass' ? step.ms : 0)
    this.learnNames()
  }

  async call(id: number, failed: boolean): Promise<void> {
    const [manager, process] = [this.managers[id]!, this.processes[id]!]
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let admitted = false
    manager
      .execute(KEY, () => {
        admitted = true
        return promise
      })
      .catch(() => {})
    equal(admitted, process.begins(this.base.monotonic()))
    const change = process.changes
    await this.base.advance(0)
    for (const answer of process.afterwards.splice(0)) answer()
    if (!admitted) return
    if (failed) reject(new ConnectionError('the other side is away'))
    else resolve()
    await this.base.advance(0)
    process.ends(this.base.monotonic(), failed, change)
  }

  land(choice: number): void {
    equal(this.entry.late.length, this.place.late.length)
    const at = choice % Math.max(1, this.entry.late.length)
    this.entry.late.splice(at, 1)[0]?.()
    this.place.late.splice(at, 1)[0]?.()
  }

  /** Which name a process has is known as soon as a word of it lies there. */
  learnNames(): void {
    const there = this.entry.read() as Partial<Record<keyof Words, { by: string; version: number }>> | undefined
    const expected = this.place.read(this.base.monotonic())
    for (const which of ['found', 'byHand'] as const) {
      const [word, model] = [there?.[which], expected[which]]
      equal(word?.version, model?.version)
      if (word === undefined || model === undefined) continue
      equal(this.names.get(model.by) ?? word.by, word.by)
      this.names.set(model.by, word.by)
    }
  }

  compare(): void {
    for (const [id, process] of this.processes.entries()) {
      const { state, openUntilMs } = this.managers[id]!.checkState(KEY)
      const untilMs = state === 'open' ? openUntilMs - this.clocks[id]!.monotonic() : 0
      const expectedMs = process.state === 'open' ? process.openUntilMs - this.base.monotonic() : 0
      equal(state, process.state)
      ok(untilMs === expectedMs || Math.abs(untilMs - expectedMs) < 1e-3, `open for ${untilMs} ms, not ${expectedMs}`)
    }
  }

  /** The cache is well again and calls succeed: all agree before long on whether it is held open, and all others are closed. */
  async agree(): Promise<void> {
    for (let id = 0; id < PROCESSES; id++) await this.take({ kind: 'link', process: id, mode: 'well' })
    while (this.entry.late.length > 0) await this.take({ kind: 'land', choice: 0 })
    await this.base.advance(OPEN_MS)
    for (let round = 0; round < 6; round++) {
      for (let process = 0; process < PROCESSES; process++) await this.take({ kind: 'call', process, failed: false })
      await this.base.advance(Math.max(LOOK_EVERY_MS, TIMEOUT_MS))
      this.compare()
    }
    const states = this.managers.map((manager) => manager.checkState(KEY)).map(({ state, openUntilMs }) => (openUntilMs === Infinity ? 'held' : state))
    ok(new Set(states).size === 1 && (states[0] === 'held' || states[0] === 'closed'), `they end as ${states.join(', ')}`)
    for (const manager of this.managers) manager.dispose()
    equal(this.base.pendingTimers, 0)
  }
}

const process = fc.nat(PROCESSES - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('call' as const), process, failed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('trip' as const, 'reset' as const), process }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('link' as const), process, mode: fc.constantFrom<LinkMode>('well', 'well', 'fails', 'unheard', 'hangs', 'late') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skew' as const), process, ms: fc.constantFrom(-86_400_000, -600, 600, 86_400_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('land' as const), choice: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'empty' }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(120), fc.constantFrom(LOOK_EVERY_MS, TIMEOUT_MS, OPEN_MS)) }) },
)

/** Three processes with one cache between them that loses, delays and forgets, and with clocks that are wrong: each does what was said, and in the end all agree. */
export const sharedBreakerModel: PolicyModel = {
  name: 'shared breaker states',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50, size: 'max' }), async (steps) => {
        const bench = new Bench()
        for (const next of steps) {
          await bench.take(next)
          bench.compare()
        }
        await bench.agree()
      }),
      { numRuns: runs, seed },
    ),
}
