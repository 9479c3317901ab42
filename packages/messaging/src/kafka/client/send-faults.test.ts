import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ApiName, Fault } from '../../../test/support/simulated/faults.ts'
import { type SendPlan, SendWorld } from '../../../test/support/simulated/send-world.ts'
import { withSameChance } from '../../../test/support/simulated/same-chance.ts'
import { BROKER } from '../broker-errors.ts'

/** One thing that happens while a process sends. */
type Event =
  | { readonly kind: 'send'; readonly plan: SendPlan }
  | { readonly kind: 'suspend' | 'kill' | 'resume'; readonly node: number }
  | { readonly kind: 'move leader'; readonly partition: number }
  | { readonly kind: 'in sync'; readonly replicas: number }
  | { readonly kind: 'fault'; readonly api: ApiName; readonly fault: Fault }
  | { readonly kind: 'wait'; readonly ms: number }

const PARTITIONS = 2

const connection: fc.Arbitrary<Fault> = fc.constantFrom<Fault[]>('never leaves', 'request lost', 'answer lost', 'request swallowed', 'answer swallowed', { lateMs: 300 }, { lateMs: 2_000 })
const { NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND } = BROKER
const { REQUEST_TIMED_OUT, OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID, INVALID_PRODUCER_EPOCH, KAFKA_STORAGE_ERROR, THROTTLING_QUOTA_EXCEEDED, DUPLICATE_SEQUENCE_NUMBER } = BROKER
const refusals = [NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION, NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR, OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID, INVALID_PRODUCER_EPOCH, THROTTLING_QUOTA_EXCEEDED]
/** What a broker may say although its log has the records. */
const lies = [NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT, NOT_LEADER_OR_FOLLOWER, DUPLICATE_SEQUENCE_NUMBER]
const ofProduce: fc.Arbitrary<Fault> = fc.oneof(
  connection,
  fc.constantFrom(...refusals).map((refusedWith) => ({ refusedWith })),
  fc.constantFrom(...lies).map((doneButSaid) => ({ doneButSaid })),
)
const busy: fc.Arbitrary<Fault> = fc.oneof(connection, fc.constant<Fault>({ refusedWith: BROKER.COORDINATOR_LOAD_IN_PROGRESS }))

const plan: fc.Arbitrary<SendPlan> = fc.record({
  partitions: fc.array(fc.nat(PARTITIONS - 1), { minLength: 1, maxLength: 4 }),
  timeoutMs: fc.constantFrom(50, 1_000, 5_000, 20_000),
  abortAfterMs: fc.option(fc.constantFrom(0, 1, 2, 400), { freq: 4 }),
})
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: plan.map((each): Event => ({ kind: 'send', plan: each })) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('suspend' as const, 'kill' as const, 'resume' as const), node: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move leader' as const), partition: fc.nat(PARTITIONS - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('in sync' as const), replicas: fc.constantFrom(1, 3) }) },
  { weight: 5, arbitrary: ofProduce.map((fault): Event => ({ kind: 'fault', api: 'produce', fault })) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fault' as const), api: fc.constantFrom<ApiName[]>('metadata', 'initProducerId'), fault: connection }) },
  { weight: 1, arbitrary: busy.map((fault): Event => ({ kind: 'fault', api: 'initProducerId', fault })) },
  { weight: 5, arbitrary: fc.constantFrom(0, 1, 2, 3, 30, 700, 3_000).map((ms): Event => ({ kind: 'wait', ms })) },
)

function happen(world: SendWorld, event: Event): Promise<void> | void {
  const { cluster } = world
  switch (event.kind) {
    case 'wait':
      return cluster.clock.advance(event.ms)
    case 'send':
      return world.send(event.plan)
    case 'move leader':
      return cluster.moveLeader(event.partition)
    case 'in sync':
      cluster.inSync = event.replicas
      return
    case 'fault':
      return cluster.faults.plan(event.api, event.fault)
    case 'suspend':
    case 'kill':
    case 'resume':
      // Two of three must stand, or nothing is promised.
      if (event.kind !== 'resume' && cluster.nodes.some(({ state }) => state !== 'up')) return
      return cluster[event.kind](event.node)
  }
}

async function complaintsOf(history: readonly Event[]): Promise<readonly string[]> {
  const world = new SendWorld(PARTITIONS)
  await world.start()
  for (const each of history) await happen(world, each)
  return world.close()
}

describe('sending under faults', () => {
  it('stores a record once or not at all, in order, and says of each what is true, in time', async () => {
    const property = fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 50 }), async (history) => {
      expect(await withSameChance(() => complaintsOf(history))).toEqual([])
    })
    await fc.assert(property, { numRuns: 1_000 })
  })
})
