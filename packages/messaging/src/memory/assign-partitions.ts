/** A partition that a group may read. */
export interface AssignablePartition {
  /** Unique among all topics. */
  readonly key: string
  readonly topic: string
}

/** A member that wants partitions. */
export interface AssignableMember {
  readonly id: string
  readonly topics: ReadonlySet<string>
}

/**
 * Who reads what: each partition goes to one member that subscribed to its topic, none has two more than another that
 * could take one of them, and whatever can stay where it was stays. Partitions that nobody wants are left out.
 */
export function assignPartitions(
  partitions: readonly AssignablePartition[],
  members: readonly AssignableMember[],
  previous: ReadonlyMap<string, string>,
): Map<string, string> {
  const shares = new Map<string, AssignablePartition[]>(members.map((member) => [member.id, []]))
  const free: AssignablePartition[] = []
  for (const partition of partitions) {
    const holder = members.find((member) => member.id === previous.get(partition.key) && member.topics.has(partition.topic))
    if (holder === undefined) free.push(partition)
    else shares.get(holder.id)?.push(partition)
  }
  for (const partition of free) leastLoaded(members, shares, partition.topic)?.push(partition)
  while (moveOne(members, shares)) {
    // Each move brings two shares closer together, so this ends.
  }
  const assignment = new Map<string, string>()
  for (const [id, share] of shares) for (const partition of share) assignment.set(partition.key, id)
  return assignment
}

type Shares = ReadonlyMap<string, AssignablePartition[]>

function leastLoaded(members: readonly AssignableMember[], shares: Shares, topic: string): AssignablePartition[] | undefined {
  let least: AssignablePartition[] | undefined
  for (const member of members) {
    const share = shares.get(member.id)
    if (share !== undefined && member.topics.has(topic) && share.length < (least?.length ?? Infinity)) least = share
  }
  return least
}

/** Moves a partition from the most loaded member that can give one away; false when nobody has two more than a taker. */
function moveOne(members: readonly AssignableMember[], shares: Shares): boolean {
  const byLoad = [...shares.values()].sort((a, b) => b.length - a.length)
  for (const share of byLoad) {
    // What came last has been held for the shortest time.
    for (let i = share.length - 1; i >= 0; i--) {
      const partition = share[i]
      if (partition === undefined) continue
      const taker = leastLoaded(members, shares, partition.topic)
      if (taker === undefined || taker.length + 1 >= share.length) continue
      share.splice(i, 1)
      taker.push(partition)
      return true
    }
  }
  return false
}
