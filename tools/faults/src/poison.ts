import { gunzipSync, gzipSync } from 'node:zlib'
import type { OutgoingRecord } from '@smart-whale/messaging'
import { eventOf } from './event.ts'
import { SeededChoices } from './seeded-choices.ts'

/** Which events of a run are bad, and how; the same for the same number each time. */
export interface PoisonPlan {
  readonly seed: number
  /** Share of bad events. */
  readonly badShare: number
  /** Every so many events, one that decodes and that only ClickHouse refuses; it counts on top. */
  readonly refusedEvery: number
  /** Every so many events, one of 5 MB. */
  readonly hugeEvery: number
}

/** Values from here on are refused by the constraint that the run puts on ClickHouse's table. */
export const REFUSED_VALUE = 1_000_000

const textOf = (sequence: number): string => eventOf(sequence).value as string
const replaced = (sequence: number, field: string, value: string): string => textOf(sequence).replace(new RegExp(`"${field}":("[^"]*"|[^,}]+)`), `"${field}":${value}`)

/** Made once: a hundred thousand brackets, and five megabytes. */
const DEEP = `{"seq":1,"note":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
const HUGE = gzipSync(Buffer.from(`{"seq":1,"note":"${'x'.repeat(5_000_000)}"`))

type Value = string | Buffer | null

const KINDS: readonly ((sequence: number, random: SeededChoices) => Value)[] = [
  (sequence, random) => textOf(sequence).slice(0, 1 + random.below(textOf(sequence).length - 1)),
  (sequence) => flipped(Buffer.from(textOf(sequence))),
  (sequence) => Buffer.concat([Buffer.from(textOf(sequence).slice(0, -2)), Buffer.from([0xc3, 0x28, 0xff, 0x22, 0x7d])]),
  (sequence) => replaced(sequence, 'seq', '{"__proto__":{"polluted":1}}'),
  (sequence) => `{"__proto__":{"seq":${sequence}}}`,
  (sequence) => replaced(sequence, 'value', '1e400'),
  (sequence) => replaced(sequence, 'seq', '18446744073709551616'),
  (sequence) => replaced(sequence, 'value', 'NaN'),
  (sequence) => replaced(sequence, 'at', '"0000-01-01T00:00:00Z"'),
  (sequence) => replaced(sequence, 'at', '"10000-01-01T00:00:00Z"'),
  () => null,
  () => '',
  () => '[]',
  (sequence) => replaced(sequence, 'station', 'null'),
  (sequence) => replaced(sequence, 'note', '"\\u0000"'),
  (sequence) => replaced(sequence, 'note', '"\\ud800"'),
]

/** Breaks the structure, so that no flip makes another good event. */
function flipped(bytes: Buffer): Buffer {
  bytes[0] = (bytes[0] as number) ^ 1
  return bytes
}

/** Whether the event is one that only ClickHouse refuses, for its value. */
export function isMendable(sequence: number, plan: PoisonPlan): boolean {
  return sequence % plan.refusedEvery === plan.refusedEvery - 1 && !isHuge(sequence, plan)
}

function isHuge(sequence: number, { hugeEvery }: PoisonPlan): boolean {
  return sequence % hugeEvery === Math.floor(hugeEvery / 2)
}

/** The record of a number, and whether it is good for both stores. */
export function poisonedRecord(sequence: number, plan: PoisonPlan): { record: OutgoingRecord; isGood: boolean } {
  const random = new SeededChoices(plan.seed ^ Math.imul(sequence + 1, 0x9e3779b1))
  const { key } = eventOf(sequence)
  const headers = { n: String(sequence) }
  const bad = (value: Value): { record: OutgoingRecord; isGood: boolean } => ({ record: { key: key ?? null, value, headers }, isGood: false })
  if (isHuge(sequence, plan)) return bad(Math.floor(sequence / plan.hugeEvery) % 2 === 0 ? gunzipSync(HUGE) : DEEP)
  if (isMendable(sequence, plan)) return bad(replaced(sequence, 'value', String(REFUSED_VALUE + sequence)))
  if (random.fraction() < plan.badShare) return bad(random.pick(KINDS)(sequence, random))
  return { record: { ...eventOf(sequence), headers }, isGood: true }
}
