import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ApiName, Fault } from '../../../test/support/simulated/faults.ts'
import { GroupWorld } from '../../../test/support/simulated/group-world.ts'
import { withSameChance } from '../../../test/support/simulated/same-chance.ts'
import { BROKER } from '../broker-errors.ts'

/** One thing that happens to a group. */
type Event =
  | { readonly kind: 'join' | 'leave' | 'crash' | 'sleep' | 'wake' | 'cut' | 'mend'; readonly worker: number }
  | { readonly kind: 'suspend' | 'kill' | 'resume'; readonly node: number }
  | { readonly kind: 'write' | 'move leader'; readonly partition: number }
  | { readonly kind: 'move coordinator' }
  | { readonly kind: 'fault'; readonly api: ApiName; readonly fault: Fault }
  | { readonly kind: 'wait' | 'work'; readonly ms: number }

const PARTITIONS = 3
const WORKERS = 3

const connection: fc.Arbitrary<Fault> = fc.constantFrom<Fault[]>('never leaves', 'request lost', 'answer lost', 'request swallowed', 'answer swallowed', { lateMs: 400 }, { lateMs: 2_500 })
const refusals = (...codes: number[]): fc.Arbitrary<Fault> => fc.constantFrom(...codes).map((refusedWith) => ({ refusedWith }))
const { COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID } = BROKER
const elsewhere = refusals(COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR)
const faultOf = (api: ApiName, ...of: fc.Arbitrary<Fault>[]): fc.Arbitrary<Event> => fc.oneof(connection, ...of).map((fault) => ({ kind: 'fault', api, fault }))

const faults: fc.Arbitrary<Event> = fc.oneof(
  faultOf('joinGroup', elsewhere, refusals(UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS)),
  faultOf('syncGroup', elsewhere, refusals(REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID)),
  faultOf('heartbeat', elsewhere, refusals(REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID)),
  faultOf('offsetCommit', elsewhere, refusals(REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION)),
  faultOf('offsetFetch', elsewhere, refusals(BROKER.UNSTABLE_OFFSET_COMMIT)),
  faultOf('findCoordinator', refusals(COORDINATOR_NOT_AVAILABLE)),
  faultOf('leaveGroup', elsewhere),
  faultOf('fetch', refusals(BROKER.NOT_LEADER_OR_FOLLOWER, BROKER.FENCED_LEADER_EPOCH, BROKER.UNKNOWN_LEADER_EPOCH, BROKER.UNKNOWN_TOPIC_ID, BROKER.KAFKA_STORAGE_ERROR)),
  faultOf('listOffsets', refusals(BROKER.NOT_LEADER_OR_FOLLOWER, BROKER.OFFSET_NOT_AVAILABLE)),
  faultOf('metadata'),
)

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'join' as const, 'leave' as const, 'crash' as const, 'sleep' as const, 'wake' as const, 'cut' as const, 'mend' as const), worker: fc.nat(WORKERS - 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('suspend' as const, 'kill' as const, 'resume' as const), node: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('write' as const, 'write' as const, 'move leader' as const), partition: fc.nat(PARTITIONS - 1) }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'move coordinator' }) },
  { weight: 5, arbitrary: faults },
  { weight: 1, arbitrary: fc.constantFrom(1, 20, 700, 1_500).map((ms): Event => ({ kind: 'work', ms })) },
  { weight: 6, arbitrary: fc.constantFrom(1, 30, 300, 1_200, 4_000, 9_000).map((ms): Event => ({ kind: 'wait', ms })) },
)

let written = 0

async function happen(world: GroupWorld, event: Event): Promise<void> {
  const { cluster, workers } = world
  switch (event.kind) {
    case 'wait':
      return cluster.clock.advance(event.ms)
    case 'work':
      world.workMs = event.ms
      return
    case 'write':
      return cluster.logs[event.partition]?.write(Array.from({ length: 4 }, () => String(written++)))
    case 'move leader':
      return cluster.moveLeader(event.partition)
    case 'move coordinator':
      return cluster.moveCoordinator()
    case 'fault':
      return cluster.faults.plan(event.api, event.fault)
    case 'suspend':
    case 'kill':
    case 'resume':
      // Two of three must stand, or nothing is promised.
      if (event.kind !== 'resume' && cluster.nodes.some(({ state }) => state !== 'up')) return
      return cluster[event.kind](event.node)
  }
  const worker = workers[event.worker]
  if (worker === undefined) return
  const { process } = worker
  if (event.kind === 'sleep' || event.kind === 'wake') process.clock[event.kind]()
  else if (event.kind === 'cut' || event.kind === 'mend') process.isCutOff = event.kind === 'cut'
  else worker[event.kind]()
}

async function complaintsOf(history: readonly Event[]): Promise<readonly string[]> {
  const world = new GroupWorld(PARTITIONS, WORKERS)
  // Of a group that nobody is in, and has nothing to read, nothing is to be seen.
  for (const log of world.cluster.logs) for (let batch = 0; batch < 20; batch++) log.write(['a', 'b', 'c'])
  world.workers[0]?.join()
  await world.cluster.clock.advance(100)
  for (const each of history) await happen(world, each)
  await world.untilAllIsDone(120_000)
  await world.close()
  return world.complaints
}

describe('a group under faults', () => {
  it('hands each record over once in each ownership, skips none, has one owner at a time, never goes back, and leaves nothing behind', async () => {
    const property = fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), async (history) => {
      expect(await withSameChance(() => complaintsOf(history))).toEqual([])
    })
    await fc.assert(property, { numRuns: 200 })
  })
})
