import { createRetry } from '@smart-whale/core-resilience'
import { silentLogger } from '@smart-whale/interfaces'
import { afterEach, describe, expect, it } from 'vitest'
import { SimulatedCluster } from '../../../test/support/simulated/cluster.ts'
import { GROUP_OPTIONS, GroupWorld, type Worker } from '../../../test/support/simulated/group-world.ts'
import { SimulatedProcess } from '../../../test/support/simulated/process.ts'
import { kafkaError, topicNotFound } from '../../errors.ts'
import type { GroupMembership, PartitionReader } from '../../transport.ts'
import { BROKER } from '../broker-errors.ts'
import { assignAsLeader } from './assign-as-leader.ts'
import { decodeAssignment, encodeSubscription } from './group-protocol.ts'
import type { KafkaClient } from './kafka-client.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function started(partitions = 1): Promise<{ cluster: SimulatedCluster; process: SimulatedProcess; join: () => { membership: Promise<GroupMembership>; reader: Promise<PartitionReader> } }> {
  const cluster = new SimulatedCluster(partitions)
  const process = new SimulatedProcess(cluster, 'member', GROUP_OPTIONS)
  await cluster.clock.runUntilSettled(process.transport.start())
  closing.push(async () => {
    await cluster.clock.runUntilSettled(process.transport.stop())
    cluster.close()
  })
  const join = () => {
    const { promise: reader, resolve } = Promise.withResolvers<PartitionReader>()
    const onPartition = async (given: PartitionReader): Promise<void> => {
      resolve(given)
      await new Promise((revoked) => given.signal.addEventListener('abort', revoked))
    }
    return { membership: process.transport.join({ groupId: 'g', topics: ['t'], onPartition }), reader }
  }
  return { cluster, process, join }
}

describe('a member of a group', () => {
  it('joins with whoever takes over from a coordinator that stands still in its first join', async () => {
    const { cluster, join } = await started()
    const { membership } = join()
    while (cluster.faults.asked('joinGroup') < 2) await cluster.clock.advance(1)

    cluster.suspend(1)
    const began = cluster.clock.monotonic()
    await cluster.clock.runUntilSettled(membership)

    // The brokers elect another coordinator after 4 s; the join itself would have waited for 9.5 s.
    expect(cluster.clock.monotonic() - began).toBeLessThan(6_500)
    expect(cluster.group.memberIds).toHaveLength(1)
    cluster.resume(1)
  })

  it.each([
    ['joinGroup', BROKER.REBALANCE_IN_PROGRESS],
    ['joinGroup', BROKER.UNKNOWN_MEMBER_ID],
    ['joinGroup', BROKER.COORDINATOR_LOAD_IN_PROGRESS],
    ['syncGroup', BROKER.REBALANCE_IN_PROGRESS],
    ['syncGroup', BROKER.ILLEGAL_GENERATION],
    ['findCoordinator', BROKER.COORDINATOR_NOT_AVAILABLE],
  ] as const)('does not flood a group that answers %s with %d again and again', async (api, refusedWith) => {
    const { cluster, join } = await started()
    cluster.faults.plan(api, ...Array.from({ length: 1_000 }, () => ({ refusedWith })))
    const before = cluster.faults.asked(api)

    const { membership } = join()
    await cluster.clock.advance(3_000)
    const asked = cluster.faults.asked(api) - before
    cluster.faults.clear()
    await cluster.clock.runUntilSettled(membership)

    expect(asked).toBeLessThan(100)
  })

  it('keeps the order of commits that are made at once, though the first has to be repeated', async () => {
    const { cluster, join } = await started()
    const { membership, reader } = join()
    await cluster.clock.runUntilSettled(membership)
    const { commit } = await cluster.clock.runUntilSettled(reader).then((given) => ({ commit: given.commit.bind(given) }))
    cluster.faults.plan('offsetCommit', { refusedWith: BROKER.REBALANCE_IN_PROGRESS }, 'answer lost')

    await cluster.clock.runUntilSettled(Promise.all([commit(1n), commit(2n), commit(3n)]))

    const offsets = cluster.group.commits.map(({ offset }) => offset)
    expect(offsets).toEqual(offsets.toSorted())
    expect(cluster.group.committed.get(0)?.offset).toBe(3n)
  })

  it('ends a commit with its own deadline, also one that waits for another', async () => {
    const { cluster, join } = await started()
    const { membership, reader } = join()
    await cluster.clock.runUntilSettled(membership)
    const given = await cluster.clock.runUntilSettled(reader)
    cluster.faults.plan('offsetCommit', 'request swallowed')

    const began = cluster.clock.monotonic()
    const first = given.commit(1n, { timeoutMs: 5_000 })
    const ended = given.commit(2n, { timeoutMs: 300 }).catch((error: unknown) => ({ error, atMs: cluster.clock.monotonic() - began }))

    expect(await cluster.clock.runUntilSettled(ended)).toMatchObject({ error: { code: 'ERR_MESSAGING_TIMEOUT' }, atMs: 300 })
    await cluster.clock.runUntilSettled(first)
  })

  it('is fenced at once in a commit that its stop overtakes', async () => {
    const { cluster, process, join } = await started()
    const { membership, reader } = join()
    const member = await cluster.clock.runUntilSettled(membership)
    const given = await cluster.clock.runUntilSettled(reader)
    process.isCutOff = true

    const committing = given.commit(1n).catch((error: unknown) => error)
    await cluster.clock.runUntilSettled(member.leave({ timeoutMs: 50 }))

    expect(await committing).toMatchObject({ code: 'ERR_MESSAGING_FENCED' })
  })
})

describe('a member that was given up while it still looked up what it had got', () => {
  it('takes nothing of that: it is somebody else\'s by then', async () => {
    const world = new GroupWorld(6, 3)
    const { cluster } = world
    const [, leaving, late] = world.workers as [Worker, Worker, Worker]
    for (const worker of world.workers) {
      worker.join()
      await cluster.clock.advance(1_500)
    }
    expect(world.holds.filter(({ worker, reader }) => worker === late && !reader.signal.aborted)).toHaveLength(2)

    // It doubts what it knows of the topic, and hears nothing new of it.
    late.process.faults.plan('metadata', ...Array.from({ length: 40 }, () => 'request swallowed' as const))
    for (let partition = 0; partition < 6; partition++) cluster.moveLeader(partition)
    await cluster.clock.advance(400)
    leaving.leave()
    await cluster.clock.advance(1_000)
    cluster.group.leave(late.membership?.memberId ?? '')
    await cluster.clock.advance(1_500)
    expect(cluster.group.memberIds).toHaveLength(1)
    const begun = world.holds.filter(({ worker }) => worker === late).length
    late.process.faults.clear()
    // It finds out what it had wanted to know, joins again, and asks what it gets.
    const asked = late.process.faults.asked('syncGroup')
    while (late.process.faults.asked('syncGroup') === asked) await cluster.clock.advance(1)

    expect(world.holds.filter(({ worker }) => worker === late)).toHaveLength(begun)
    for (const log of cluster.logs) log.write(['a', 'b', 'c'])
    await world.untilAllIsDone(60_000)
    await world.close()
    expect(world.complaints).toEqual([])
  })
})

describe('the leader of a group', () => {
  const passing = kafkaError('ERR_MESSAGING_CONNECTION', 'no broker answers', { retryable: true })
  const { signal } = new AbortController()
  const members = [{ memberId: 'a', metadata: encodeSubscription({ topics: ['t'], owned: new Map([['t', [0, 1]]]), generation: 4 }) }]
  const clientOf = (refresh: () => Promise<never>, known: number | null): KafkaClient =>
    ({ settings: { logger: silentLogger }, view: { refresh, known: () => (known === null ? undefined : { partitions: Array.from({ length: known }) }) } }) as unknown as KafkaClient
  const assignedTo = async (client: KafkaClient): Promise<unknown> => (await assignAsLeader(client, 'g', members, signal))?.map(({ assignment }) => [...decodeAssignment(assignment)])

  it('leaves a topic as it is that nobody can be asked for now', async () => {
    expect(await assignedTo(clientOf(() => Promise.reject(passing), 2))).toEqual([[['t', [0, 1]]]])
  })

  it('repeats the round rather than take the partitions of a topic that it knows nothing of', async () => {
    expect(await assignedTo(clientOf(() => Promise.reject(passing), null))).toBe(undefined)
  })

  it('gives nobody the partitions of a topic that is gone', async () => {
    expect(await assignedTo(clientOf(() => Promise.reject(topicNotFound('t')), 2))).toEqual([[]])
  })
})

describe('a policy above the transport', () => {
  it('does not keep the transport from repeating what a broker refuses for now', async () => {
    const { cluster, process } = await started()
    const policy = createRetry({ name: 'user', maxAttempts: 2, clock: process.clock })
    cluster.faults.plan('offsetFetch', ...Array.from({ length: 5 }, () => ({ refusedWith: BROKER.COORDINATOR_LOAD_IN_PROGRESS })))

    const lag = policy.execute(({ signal }) => process.transport.groupLag('g', 't', { signal }))

    expect(await cluster.clock.runUntilSettled(lag)).toHaveLength(1)
  })
})
