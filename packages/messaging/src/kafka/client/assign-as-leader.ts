import { InfrastructureError } from '@smart-whale/interfaces'
import { assignSticky, type KnownMember } from './assign-sticky.ts'
import { decodeSubscription, encodeAssignment } from './group-protocol.ts'
import type { KafkaClient } from './kafka-client.ts'

/** A member as the group's leader is told of it. */
export interface ToldMember {
  readonly memberId: string
  readonly metadata: Uint8Array
}

/** The generation of who owns nothing. */
const NO_GENERATION = -1

/**
 * As the leader of a group: who gets what. A topic that nobody can be asked for now stays as it is; null when that isn't known either, and the
 * round has to be repeated: to give its partitions to nobody would take them from those who work on them.
 */
export async function assignAsLeader(
  client: KafkaClient,
  groupId: string,
  members: readonly ToldMember[],
  signal: AbortSignal,
): Promise<{ memberId: string; assignment: Uint8Array }[] | null> {
  const known = members.map((member) => readMember(client, groupId, member))
  const partitionsOf = new Map<string, number>()
  for (const name of new Set(known.flatMap(({ topics }) => topics))) {
    const count = await partitionCount(client, name, signal)
    if (count === 'unknown') return null
    if (count !== 'absent') partitionsOf.set(name, count)
  }
  return [...assignSticky(known, partitionsOf)].map(([memberId, assigned]) => ({ memberId, assignment: encodeAssignment(assigned) }))
}

async function partitionCount({ view }: KafkaClient, name: string, signal: AbortSignal): Promise<number | 'absent' | 'unknown'> {
  try {
    return (await view.refresh(name, signal)).partitions.length
  } catch (error) {
    if (signal.aborted) throw error
    if (InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_TOPIC_NOT_FOUND') return 'absent'
    return view.known(name)?.partitions.length ?? 'unknown'
  }
}

/** A member that can't be understood gets nothing, and holds up nobody. */
function readMember({ settings }: KafkaClient, groupId: string, { memberId, metadata }: ToldMember): KnownMember {
  try {
    return { memberId, ...decodeSubscription(metadata) }
  } catch (error) {
    settings.logger.warn({ err: error, groupId, memberId }, 'a member of the group says what it reads in a way that is not known; it gets nothing')
    return { memberId, topics: [], owned: new Map(), generation: NO_GENERATION }
  }
}
