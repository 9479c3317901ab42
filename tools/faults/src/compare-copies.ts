import { type Finding, mustBe } from './scenario.ts'
import type { SentEvents } from './sent-events.ts'

/** How often a store has an event, by the event's number. */
export type Copies = ReadonlyMap<number, number>

/** What a store lacks or has too often. */
export interface Difference {
  /** Acknowledged, and not there. */
  readonly lost: readonly number[]
  /** There more than once. */
  readonly doubled: readonly number[]
  /** There, and never sent. */
  readonly foreign: readonly number[]
}

/** Compares a store with what was sent. An event with an unknown outcome may be there or not, but not twice. */
export function compareCopies(sent: SentEvents, copies: Copies): Difference {
  const lost: number[] = []
  const doubled: number[] = []
  const foreign: number[] = []
  for (const sequence of sent.acknowledgedOnes()) if (!copies.has(sequence)) lost.push(sequence)
  for (const [sequence, count] of copies) {
    if (count > 1) doubled.push(sequence)
    if (!sent.mayBeThere(sequence)) foreign.push(sequence)
  }
  return { lost, doubled, foreign }
}

/** The findings of one store; a wrong one names the first events that are wrong. */
export function findingsOf(store: string, { lost, doubled, foreign }: Difference): Finding[] {
  return [countedAs(`${store}: lost`, lost), countedAs(`${store}: doubled`, doubled), countedAs(`${store}: never sent`, foreign)]
}

function countedAs(what: string, sequences: readonly number[]): Finding {
  const finding = mustBe(what, sequences.length, 0)
  return sequences.length === 0 ? finding : { ...finding, found: `${sequences.length} (${sequences.slice(0, 5).join(', ')}${sequences.length > 5 ? ' …' : ''})` }
}
