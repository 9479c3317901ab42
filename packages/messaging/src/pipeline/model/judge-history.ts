import assert from 'node:assert/strict'
import type { EventKind, World } from './model-world.ts'
import type { Setup } from './play-history.ts'

/** Refuses a world in which an event is not where it belongs, or is there twice. @throws AssertionError saying which */
export function judgeHistory(world: World, { sinks, hasViews, isRedefined, renamedAfter }: Setup): void {
  // What a failover forgot is looked for under the name that the pipeline has now: docs/guides/delivery-guarantees.md.
  const hasForgottenNames = world.hasLostCommits && (renamedAfter?.length ?? 0) > 0
  const { good, bad, isJudged } = whereEventsBelong(world, { sinks, isRedefined, hasForgottenNames })
  const same = (found: readonly bigint[], expected: readonly bigint[], what: string): void => assert.deepEqual(found.filter(isJudged).toSorted(ascending), expected.filter(isJudged), what)
  const isKept = (offset: bigint): boolean => world.kinds[Number(offset)] !== 'old'
  if (sinks !== 'timescaledb') {
    same(world.clickhouse.filter(isKept), good.filter(isKept), 'rows in ClickHouse')
    // An old row that isn't there counts as one that the store has removed already: of a slice that no ledger knows of any more, and where views show that it was there.
    if (!world.hasLostCommits && !hasViews) same([...new Set(world.clickhouse)], good, 'rows that came to ClickHouse')
    if (!world.hasLostCommits && hasViews) same(world.view, good, 'rows in the view')
  }
  if (sinks !== 'clickhouse') same(world.postgres?.rows ?? [], good, 'rows in PostgreSQL')
  // What was cut in one process and is not done is finished under its definition, or is made anew as a whole.
  if (sinks === 'both' && !world.hasLostCommits) assert.deepEqual(definitionsOf(world, 'timescaledb'), definitionsOf(world, 'clickhouse'), 'definitions of rows')
  // Whoever takes over has what his predecessor left open ended; where a failover forgot the one, nobody knows of it.
  if (!world.hasLostCommits) assert.equal(world.endedByBroker, 0, 'transactions that were waited for until the broker ended them')
  assert.deepEqual(world.forks, [], 'pipelines that begin anew beside each other')
  if (hasForgottenNames) return
  same(world.deadLetters.map(({ offset }) => offset), bad, 'dead letters')
}

/** Which events belong into the stores, and which into the dead letters. */
function whereEventsBelong(world: World, { sinks, isRedefined, hasForgottenNames }: Pick<Setup, 'sinks' | 'isRedefined'> & { hasForgottenNames: boolean }): { good: bigint[]; bad: bigint[]; isJudged: (offset: bigint) => boolean } {
  const refusing = refusingKinds(sinks)
  const dead = new Set(world.deadLetters.map(({ offset }) => offset))
  // Which of two definitions an event met decides: as its letter says, if it has one.
  const isBad = (kind: EventKind, offset: bigint): boolean => (kind === 'refused-by-definition' ? isRedefined && dead.has(offset) : refusing.has(kind))
  const [good, bad]: [bigint[], bigint[]] = [[], []]
  for (const [index, kind] of world.kinds.entries()) (isBad(kind, BigInt(index)) ? bad : good).push(BigInt(index))
  // An owner that slept while a failover forgot its successor knows nothing of letters that this one sent under another definition, nor does one with another name: docs/guides/delivery-guarantees.md.
  const isLetterForgotten = world.hasLostSuspendedOnes || hasForgottenNames
  return { good, bad, isJudged: (offset) => !isLetterForgotten || world.kinds[Number(offset)] !== 'refused-by-definition' }
}

function refusingKinds(sinks: Setup['sinks']): ReadonlySet<EventKind> {
  const kinds = new Set<EventKind>(['undecodable'])
  if (sinks !== 'timescaledb') kinds.add('refused-by-clickhouse')
  if (sinks !== 'clickhouse') kinds.add('refused-by-timescaledb')
  return kinds
}

const ascending = (left: bigint, right: bigint): number => Number(left - right)

/** By offset; of rows that stay. */
function definitionsOf(world: World, store: keyof World['madeBy']): [bigint, string][] {
  const kept = [...world.madeBy[store]].filter(([offset]) => world.kinds[Number(offset)] !== 'old')
  return kept.sort(([left], [right]) => ascending(left, right))
}
