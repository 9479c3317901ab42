import fc from 'fast-check'
import { judgeHistory } from './judge-history.ts'
import { type EventKind, type Fate, type PlannedFate, World } from './model-world.ts'
import { playHistory, type Setup } from './play-history.ts'

const KINDS = ['old', 'undecodable', 'refused-by-definition', 'refused-by-clickhouse', 'refused-by-timescaledb'] as const
const FATES = ['fails-before', 'fails-after', 'arrives-late', 'pauses-before', 'pauses-after', 'dies-before', 'dies-after', 'server-fails', 'replica-takes-over'] as const

const kinds = fc.array(fc.oneof({ weight: 8, arbitrary: fc.constant<EventKind>('good') }, fc.constantFrom<EventKind>(...KINDS)), { minLength: 1, maxLength: 24, size: 'max' })
/** Much goes wrong, one thing upon the other. */
const storm = fc.array(fc.record<PlannedFate>({ fate: fc.oneof({ weight: 5, arbitrary: fc.constant<Fate>('works') }, { weight: 4, arbitrary: fc.constantFrom<Fate>(...FATES) }), delay: fc.nat(40) }), { maxLength: 120, size: 'max' })

/** Few records, and few things that go wrong: what needs one owner asleep and a replica without its commits, and nothing else in between. */
const quietKinds = fc.array(fc.oneof({ weight: 1, arbitrary: fc.constant<EventKind>('good') }, { weight: 1, arbitrary: fc.constantFrom<EventKind>(...KINDS) }), { minLength: 1, maxLength: 4, size: 'max' })
const quiet = fc
  .array(fc.tuple(fc.nat(45), fc.constantFrom<Fate>('pauses-before', 'pauses-before', 'pauses-after', 'replica-takes-over', 'replica-takes-over', ...FATES), fc.nat(24)), { minLength: 1, maxLength: 6, size: 'max' })
  .map((odd) => planOf(odd))

const setup = (sinks: Setup['sinks']): fc.Arbitrary<Setup> => fc.record({ sinks: fc.constant(sinks), chunk: fc.integer({ min: 1, max: 6 }), renamedAfter: fc.oneof(fc.constant([]), fc.array(fc.nat(6), { minLength: 1, maxLength: 3 })), hasStrays: fc.boolean(), isRenamedBack: fc.boolean(), isHasty: fc.boolean(), isLedgerApart: sinks === 'clickhouse' ? fc.boolean() : fc.constant(false), maxRows: fc.integer({ min: 1, max: 6 }), hasViews: fc.boolean(), isRedefined: fc.boolean() })

/** Plays so many random histories. @throws Error with the shortest one that ends otherwise than it should */
export async function playRandomHistories(sinks: Setup['sinks'], parameters: fc.Parameters<unknown>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.tuple(kinds, storm), fc.tuple(quietKinds, quiet)), setup(sinks), fc.integer({ min: 1, max: 4 }), async ([events, planned], drawn, window) => {
      // With the group's ledger, a name that comes back again and again may leave a view without expired rows: docs/guides/delivery-guarantees.md.
      const how = { ...drawn, isRenamedBack: drawn.isRenamedBack === true && (drawn.sinks !== 'clickhouse' || drawn.isLedgerApart === true) }
      // What a failover forgets of a take-over, where ClickHouse remembers it: docs/guides/delivery-guarantees.md.
      const isTakeOverForgettable = how.isLedgerApart === true && (how.renamedAfter?.length ?? 0) > 0
      // Views are mended by what the table remembers, so that has to reach far enough.
      const world = new World(events, planned, { window: how.hasViews ? 1000 : window, mayLoseCommits: !how.hasViews && !isTakeOverForgettable })
      await playHistory(world, how)
      judgeHistory(world, how)
    }),
    parameters as fc.Parameters<[[EventKind[], PlannedFate[]], Setup, number]>,
  )
}

/** A history of which only the odd steps are told: what happens at which of them, and for how long. All the others work. */
export interface ToldHistory {
  readonly events: readonly EventKind[]
  readonly odd: readonly (readonly [step: number, fate: Fate, delay?: number])[]
  readonly mayLoseCommits: boolean
  readonly how: Setup
}

/** Plays one history. @throws AssertionError when it ends otherwise than it should */
export async function playToldHistory({ events, odd, mayLoseCommits, how }: ToldHistory): Promise<void> {
  const world = new World(events, planOf(odd), { window: mayLoseCommits ? 1 : 1000, mayLoseCommits })
  await playHistory(world, how)
  judgeHistory(world, how)
}

function planOf(odd: ToldHistory['odd']): PlannedFate[] {
  const steps = Math.max(...odd.map(([step]) => step)) + 1
  return Array.from({ length: steps }, (_, step): PlannedFate => {
    const [, fate, delay = 0] = odd.find(([at]) => at === step) ?? [step, 'works' as const]
    return { fate, delay }
  })
}
