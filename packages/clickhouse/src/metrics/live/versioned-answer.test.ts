import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonical } from '../../stable-digest.ts'
import type { MetricAnswer, MetricRow } from '../answer/metric-answer.ts'
import { applyLiveEvent, type LiveState, rowKey } from './live-events.ts'
import { VersionedAnswer } from './versioned-answer.ts'

const KEY = ['time', 'country', 'other']

const rowOf = fc.record(
  { time: fc.constantFrom('2026-01-01', '2026-01-02'), country: fc.constantFrom('NO', 'SE', null, ''), other: fc.constant(true as const), orders: fc.bigInt(0n, 2n), at: fc.constantFrom(null, new Date(0), 0) },
  { requiredKeys: ['time', 'country', 'orders', 'at'] },
) as fc.Arbitrary<MetricRow>
const answerOf: fc.Arbitrary<MetricAnswer> = fc
  .record({ rows: fc.uniqueArray(rowOf, { selector: (row) => canonical(KEY.map((name) => row[name] ?? null)), maxLength: 8 }), total: fc.option(fc.bigInt(0n, 1n), { nil: undefined }), day: fc.constantFrom('2026-01-01', '2026-01-02') })
  .map(({ rows, total, day }) => ({
    rows,
    ...(total === undefined ? {} : { totals: { orders: total } }),
    truncated: false,
    period: { from: day, to: '2026-01-03', timeZone: 'UTC' },
    route: { source: 'raw', name: 'orders', table: 'orders', refused: [], rowsRead: 1, bytesRead: 1, elapsedMs: 1 },
    cache: { status: 'bypass', ageMs: 0, ttlSeconds: 0 },
  }))

/** What is to be seen of an answer, whatever the order of its rows. */
const contentOf = ({ rows, totals, truncated, period }: MetricAnswer): string => canonical([rows.map((row) => canonical(row)).sort(), { totals, truncated, period }])
const contentAt = ({ rows, frame }: LiveState): string => canonical([[...rows.values()].map((row) => canonical(row)).sort(), { totals: frame.totals, truncated: frame.truncated, period: frame.period }])

/** Of a few answers, so that former ones come again. */
const stepsOf = fc
  .array(answerOf, { minLength: 1, maxLength: 5 })
  .chain((answers) => fc.array(fc.record({ answer: fc.constantFrom(...answers), reads: fc.array(fc.nat(2), { maxLength: 3 }), comesBack: fc.boolean() }), { minLength: 1, maxLength: 25 }))

describe('a versioned answer', () => {
  it('told as differences is the answer, for subscribers however slow and however often they come back', () => {
    fc.assert(
      fc.property(stepsOf, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 12 }), (steps, maxVersions, maxRemovals) => {
        const versioned = new VersionedAnswer(KEY, { maxVersions, maxRemovals })
        const subscribers = Array.from({ length: 3 }, () => ({ state: undefined as LiveState | undefined, seen: undefined as number | undefined }))
        for (const { answer, reads, comesBack } of steps) {
          versioned.take(answer)
          for (const index of reads) {
            const subscriber = subscribers[index] as (typeof subscribers)[number]
            // Who comes back knows a version, who stays a state.
            const from = comesBack ? versioned.sequenceOf(subscriber.state?.version ?? '') : subscriber.seen
            const event = (from === undefined ? undefined : versioned.changeSince(from)) ?? versioned.snapshot()
            if (event.type === 'change') {
              const removed = new Set(event.removals.map((gone) => rowKey(KEY, gone)))
              expect(event.upserts.filter((row) => removed.has(rowKey(KEY, row)))).toEqual([])
            }
            if (comesBack && from !== undefined) expect(event.type).toBe('change')
            expect(versioned.sequenceOf(event.version)).toBe(versioned.sequence)
            subscriber.state = applyLiveEvent(subscriber.state, event)
            subscriber.seen = versioned.sequence
            expect(contentAt(subscriber.state as LiveState)).toBe(contentOf(answer))
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('has a version that is equal for equal content, and no other', () => {
    fc.assert(
      fc.property(answerOf, answerOf, (one, other) => {
        const versions = [one, other].map((answer) => {
          const versioned = new VersionedAnswer(KEY, { maxVersions: 4, maxRemovals: 8 })
          versioned.take(answer)
          return versioned.snapshot().version
        })
        expect(versions[0] === versions[1]).toBe(contentOf(one) === contentOf(other))
      }),
    )
  })

  it('tells nothing new of an equal answer, and a difference only where there is one', () => {
    const [first, second] = fc.sample(answerOf, { numRuns: 2, seed: 7 }) as [MetricAnswer, MetricAnswer]
    const versioned = new VersionedAnswer(KEY, { maxVersions: 4, maxRemovals: 100 })
    const rows: MetricRow[] = [{ time: '2026-01-01', country: 'NO', orders: 1n }, { time: '2026-01-01', country: 'SE', orders: 1n }]

    expect(versioned.take({ ...first, rows })).toBe(true)
    expect(versioned.take({ ...first, rows: [...rows].reverse() })).toBe(false)
    expect(versioned.take({ ...second, rows: [{ time: '2026-01-01', country: 'NO', orders: 2n }, { time: '2026-01-02', country: 'NO', orders: 1n }] })).toBe(true)
    expect(versioned.changeSince(1)).toMatchObject({
      upserts: [{ time: '2026-01-01', country: 'NO', orders: 2n }, { time: '2026-01-02', country: 'NO', orders: 1n }],
      removals: [{ time: '2026-01-01', country: 'SE' }],
    })
  })
})
