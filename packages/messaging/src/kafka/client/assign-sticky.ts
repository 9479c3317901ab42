import type { Subscription, TopicPartitions } from './group-protocol.ts'

/** A member of the group, as the one that assigns knows it. */
export interface KnownMember extends Subscription {
  readonly memberId: string
}

const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`

/**
 * Shares partitions out so that every member has as many as any other, give or take one, and keeps what it has.
 *
 * A partition that another member still has goes to nobody in this round: its owner sees that it is no longer its own, lets its handler finish,
 * and joins again; in the round after that it goes to the new owner (Kafka's cooperative protocol, KIP-429).
 */
export function assignSticky(members: readonly KnownMember[], partitionsOf: ReadonlyMap<string, number>): Map<string, TopicPartitions> {
  const ordered = [...members].sort((left, right) => (left.memberId < right.memberId ? -1 : 1))
  const owners = ownersOf(ordered)
  const targets = targetsFor(ordered, owners, partitionsOf)
  const assigned = new Map<string, Map<string, number[]>>(ordered.map(({ memberId }) => [memberId, new Map()]))
  for (const { topic, partition, memberId } of targets) {
    const owner = owners.get(keyOf(topic, partition))
    if (owner !== undefined && owner !== memberId) continue
    const mine = assigned.get(memberId) as Map<string, number[]>
    mine.set(topic, [...(mine.get(topic) ?? []), partition])
  }
  return assigned
}

/** Who has what; of two that claim the same, the one that got it later. */
function ownersOf(members: readonly KnownMember[]): Map<string, string> {
  const owners = new Map<string, string>()
  for (const { memberId, owned } of [...members].sort((left, right) => left.generation - right.generation)) {
    for (const [topic, partitions] of owned) for (const partition of partitions) owners.set(keyOf(topic, partition), memberId)
  }
  return owners
}

interface Target {
  readonly topic: string
  readonly partition: number
  readonly memberId: string
}

function targetsFor(members: readonly KnownMember[], owners: ReadonlyMap<string, string>, partitionsOf: ReadonlyMap<string, number>): Target[] {
  const all = [...partitionsOf].flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })))
  const wanted = all.filter(({ topic }) => members.some(({ topics }) => topics.includes(topic)))
  const share = Math.floor(wanted.length / members.length)
  // So many members get one more than the others.
  let larger = wanted.length - share * members.length
  const load = new Map(members.map(({ memberId }) => [memberId, 0]))
  const targets: Target[] = []
  const unplaced: typeof wanted = []
  for (const place of wanted) {
    const owner = owners.get(keyOf(place.topic, place.partition))
    const has = owner === undefined ? undefined : load.get(owner)
    const mayKeep = has !== undefined && members.some(({ memberId, topics }) => memberId === owner && topics.includes(place.topic)) && (has < share || (has === share && larger-- > 0))
    if (!mayKeep) {
      if (has === share && larger < 0) larger = 0
      unplaced.push(place)
      continue
    }
    load.set(owner as string, (has as number) + 1)
    targets.push({ ...place, memberId: owner as string })
  }
  for (const place of unplaced) {
    const [least] = members.filter(({ topics }) => topics.includes(place.topic)).sort((left, right) => (load.get(left.memberId) as number) - (load.get(right.memberId) as number))
    if (least === undefined) continue
    load.set(least.memberId, (load.get(least.memberId) as number) + 1)
    targets.push({ ...place, memberId: least.memberId })
  }
  return targets
}
