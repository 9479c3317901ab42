import type { Subscription, TopicPartitions } from './group-protocol.ts'

/** A member of the group, as the one that assigns knows it. */
export interface KnownMember extends Subscription {
  readonly memberId: string
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/** What a member is to have in the end. */
interface Share {
  readonly memberId: string
  readonly topics: ReadonlySet<string>
  readonly places: Place[]
}

/**
 * Shares partitions out so that members of the same topics have as many as any other, give or take one, and keep what they have.
 *
 * A partition that another member still has goes to nobody in this round: its owner sees that it is no longer its own, lets its handler finish,
 * and joins again; in the round after that it goes to the new owner (Kafka's cooperative protocol, KIP-429).
 */
export function assignSticky(members: readonly KnownMember[], partitionsOf: ReadonlyMap<string, number>): Map<string, TopicPartitions> {
  const shares: Share[] = members
    .map(({ memberId, topics }) => ({ memberId, topics: new Set(topics), places: [] }))
    .sort((left, right) => (left.memberId < right.memberId ? -1 : 1))
  const owners = ownersOf(members)
  placeAll(shares, owners, partitionsOf)
  balance(shares)
  const assigned = new Map<string, TopicPartitions>()
  for (const { memberId, places } of shares) {
    const free = places.filter((place) => (owners.get(keyOf(place)) ?? memberId) === memberId)
    assigned.set(memberId, byTopic(free))
  }
  return assigned
}

/** Who has what; of two that claim the same, the one that got it later. Two claims of one age are nobody's: neither may go on. */
function ownersOf(members: readonly KnownMember[]): Map<string, string> {
  const claims = new Map<string, { readonly memberId: string; readonly generation: number }>()
  for (const { memberId, owned, generation } of members) {
    for (const place of placesOf(owned)) {
      const other = claims.get(keyOf(place))
      if (other === undefined || other.generation < generation) claims.set(keyOf(place), { memberId, generation })
      else if (other.generation === generation && other.memberId !== memberId) claims.set(keyOf(place), { memberId: NOBODY, generation })
    }
  }
  return new Map([...claims].map(([key, { memberId }]) => [key, memberId]))
}

/** Stands for an owner that isn't a member. */
const NOBODY = ''

/** First everybody keeps what is his, then what is left goes to whoever has least. */
function placeAll(shares: readonly Share[], owners: ReadonlyMap<string, string>, partitionsOf: ReadonlyMap<string, number>): void {
  const left: { readonly place: Place; readonly takers: readonly Share[] }[] = []
  for (const [topic, count] of [...partitionsOf].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const takers = shares.filter(({ topics }) => topics.has(topic))
    if (takers.length === 0) continue
    for (let partition = 0; partition < count; partition++) {
      const place = { topic, partition }
      const owner = owners.get(keyOf(place))
      const keeper = takers.find(({ memberId }) => memberId === owner)
      if (keeper === undefined) left.push({ place, takers })
      else keeper.places.push(place)
    }
  }
  // Those that few can take first, so that what everybody can take evens it out.
  left.sort((one, other) => one.takers.length - other.takers.length)
  for (const { place, takers } of left) least(takers)?.places.push(place)
}

/** Moves partitions, one at a time and from whoever has most by then, until no move makes it more even. */
function balance(shares: readonly Share[]): void {
  while (byLoad(shares).some((fullest) => giveOne(fullest, shares)));
}

/** Gives a partition of one member to another that has two less at least; false when there is none that can take one. */
function giveOne(from: Share, shares: readonly Share[]): boolean {
  for (const to of byLoad(shares).reverse()) {
    if (to.places.length + 1 >= from.places.length) return false
    const index = from.places.findLastIndex(({ topic }) => to.topics.has(topic))
    if (index < 0) continue
    to.places.push(...from.places.splice(index, 1))
    return true
  }
  return false
}

const byLoad = (shares: readonly Share[]): Share[] => [...shares].sort((one, other) => other.places.length - one.places.length)

function least(shares: readonly Share[]): Share | undefined {
  let found: Share | undefined
  for (const share of shares) if (found === undefined || share.places.length < found.places.length) found = share
  return found
}

const keyOf = ({ topic, partition }: Place): string => `${topic}/${partition}`

const placesOf = (partitions: TopicPartitions): Place[] => [...partitions].flatMap(([topic, numbers]) => numbers.map((partition) => ({ topic, partition })))

function byTopic(places: readonly Place[]): Map<string, number[]> {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of places) {
    const numbers = topics.get(topic)
    if (numbers === undefined) topics.set(topic, [partition])
    else numbers.push(partition)
  }
  for (const numbers of topics.values()) numbers.sort((one, other) => one - other)
  return topics
}
