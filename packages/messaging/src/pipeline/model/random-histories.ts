import fc from 'fast-check'
import { judgeHistory } from './judge-history.ts'
import { type EventKind, type Fate, type PlannedFate, World } from './model-world.ts'
import { playHistory, type Setup } from './play-history.ts'

const kinds = fc.array(fc.oneof({ weight: 8, arbitrary: fc.constant<EventKind>('good') }, fc.constantFrom<EventKind>('old', 'undecodable', 'refused-by-clickhouse', 'refused-by-timescaledb')), { minLength: 1, maxLength: 24, size: 'max' })
const fates = fc.constantFrom<Fate>('fails-before', 'fails-after', 'arrives-late', 'pauses-before', 'pauses-after', 'dies-before', 'dies-after', 'server-fails', 'replica-takes-over')
const plan = fc.array(fc.record<PlannedFate>({ fate: fc.oneof({ weight: 5, arbitrary: fc.constant<Fate>('works') }, { weight: 4, arbitrary: fates }), delay: fc.nat(40) }), { maxLength: 120, size: 'max' })
const setup = (sinks: Setup['sinks']): fc.Arbitrary<Setup> => fc.record({ sinks: fc.constant(sinks), chunk: fc.integer({ min: 1, max: 6 }), maxRows: fc.integer({ min: 1, max: 6 }), hasViews: fc.boolean(), isRedefined: fc.boolean() })

/** Plays so many random histories. @throws Error with the shortest one that ends otherwise than it should */
export async function playRandomHistories(sinks: Setup['sinks'], parameters: fc.Parameters<unknown>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(kinds, plan, setup(sinks), fc.integer({ min: 1, max: 4 }), async (events, planned, how, window) => {
      // Views are mended by what the table remembers, so that has to reach far enough.
      const world = new World(events, planned, { window: how.hasViews ? 1000 : window, mayLoseCommits: !how.hasViews })
      await playHistory(world, how)
      judgeHistory(world, how)
    }),
    parameters as fc.Parameters<[EventKind[], PlannedFate[], Setup, number]>,
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
  const steps = Math.max(...odd.map(([step]) => step)) + 1
  const planned = Array.from({ length: steps }, (_, step): PlannedFate => {
    const [, fate, delay = 0] = odd.find(([at]) => at === step) ?? [step, 'works' as const]
    return { fate, delay }
  })
  const world = new World(events, planned, { window: mayLoseCommits ? 1 : 1000, mayLoseCommits })
  await playHistory(world, how)
  judgeHistory(world, how)
}
