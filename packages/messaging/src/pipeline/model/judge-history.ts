import assert from 'node:assert/strict'
import type { EventKind, World } from './model-world.ts'
import type { Setup } from './play-history.ts'

/** Refuses a world in which an event is not where it belongs, or is there twice. @throws AssertionError saying which */
export function judgeHistory(world: World, { sinks, hasViews }: Setup): void {
  const refusing = refusingKinds(sinks)
  const offsetsOf = (belongs: (kind: EventKind) => boolean): bigint[] => world.kinds.flatMap((kind, offset) => (belongs(kind) ? [BigInt(offset)] : []))
  const good = offsetsOf((kind) => !refusing.has(kind))
  const isKept = (offset: bigint): boolean => world.kinds[Number(offset)] !== 'old'
  if (sinks !== 'timescaledb') {
    same(world.clickhouse.filter(isKept), good.filter(isKept), 'rows in ClickHouse')
    // Of a slice that no ledger knows of any more, an old row that isn't there counts as one that the store has removed already.
    if (!world.hasLostCommits) same([...new Set(world.clickhouse)], good, 'rows that came to ClickHouse')
    if (!world.hasLostCommits && hasViews) same(world.view, good, 'rows in the view')
  }
  if (sinks !== 'clickhouse') same(world.postgres?.rows ?? [], good, 'rows in PostgreSQL')
  // What was cut in one process and is not done is finished under its definition, or is made anew as a whole.
  if (sinks === 'both' && !world.hasLostCommits) assert.deepEqual(byOffset(world.madeBy.timescaledb), byOffset(world.madeBy.clickhouse), 'definitions of rows')
  same(world.deadLetters.map(({ offset }) => offset), offsetsOf((kind) => refusing.has(kind)), 'dead letters')
}

function refusingKinds(sinks: Setup['sinks']): ReadonlySet<EventKind> {
  const kinds = new Set<EventKind>(['undecodable'])
  if (sinks !== 'timescaledb') kinds.add('refused-by-clickhouse')
  if (sinks !== 'clickhouse') kinds.add('refused-by-timescaledb')
  return kinds
}

const same = (found: readonly bigint[], expected: readonly bigint[], what: string): void => assert.deepEqual(found.toSorted(ascending), expected, what)

const ascending = (left: bigint, right: bigint): number => Number(left - right)

const byOffset = (definitions: ReadonlyMap<bigint, string>): unknown[] => [...definitions].sort(([left], [right]) => ascending(left, right))
