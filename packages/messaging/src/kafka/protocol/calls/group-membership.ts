import type { GroupRight, JoinGroupResult } from '../../kafka-api.ts'
import type { KafkaCall } from '../kafka-call.ts'
import type { WireWriter } from '../wire-writer.ts'

/** What a member offers when it joins. */
export interface JoinGroupInput {
  readonly groupId: string
  readonly memberId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
}

/** What the leader hands to each member; empty from the others. */
export interface SyncGroupInput extends GroupRight {
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
}

type Answered = { readonly errorCode: number }

const NOT_STATIC = null

/** Takes part in a group; the answer waits until the other members do as well. Without a member id, the first answer only brings one. */
export const joinGroupCall: KafkaCall<JoinGroupInput, JoinGroupResult> = {
  name: 'JoinGroup',
  apiKey: 11,
  apiVersion: 5,
  flexible: false,
  lane: 'group',
  write(writer, { groupId, memberId, sessionTimeoutMs, rebalanceTimeoutMs, protocols }) {
    writer
      .string(groupId)
      .int32(sessionTimeoutMs)
      .int32(rebalanceTimeoutMs)
      .string(memberId)
      .nullableString(NOT_STATIC)
      .string('consumer')
      .array(protocols, ({ name, metadata }) => writer.string(name).bytes(metadata))
  },
  read(reader) {
    const errorCode = reader.int16()
    const generation = reader.int32()
    const protocol = reader.nullableString()
    const leader = reader.string()
    const memberId = reader.string()
    const members = reader.array(() => {
      const member = reader.string()
      reader.nullableString() // static id
      return { memberId: member, metadata: reader.bytes() }
    })
    return { errorCode, generation, protocol: protocol === '' ? null : protocol, leader, memberId, members }
  },
}

/** Tells a member what it has; the leader's request says it for all. */
export const syncGroupCall: KafkaCall<SyncGroupInput, Answered & { readonly assignment: Uint8Array }> = {
  name: 'SyncGroup',
  apiKey: 14,
  apiVersion: 3,
  flexible: false,
  lane: 'group',
  write(writer, input) {
    writeRight(writer, input)
    writer.array(input.assignments, ({ memberId, assignment }) => writer.string(memberId).bytes(assignment))
  },
  read(reader) {
    return { errorCode: reader.int16(), assignment: reader.bytes() }
  },
}

/** Says that a member is there, and hears whether the group is rebalancing. */
export const heartbeatCall: KafkaCall<GroupRight, Answered> = {
  name: 'Heartbeat',
  apiKey: 12,
  apiVersion: 3,
  flexible: false,
  lane: 'group',
  write(writer, right) {
    writeRight(writer, right)
  },
  read(reader) {
    return { errorCode: reader.int16() }
  },
}

/** Gives a member's partitions back at once. */
export const leaveGroupCall: KafkaCall<Pick<GroupRight, 'groupId' | 'memberId'>, Answered> = {
  name: 'LeaveGroup',
  apiKey: 13,
  apiVersion: 2,
  flexible: false,
  lane: 'group',
  write(writer, { groupId, memberId }) {
    writer.string(groupId).string(memberId)
  },
  read(reader) {
    return { errorCode: reader.int16() }
  },
}

function writeRight(writer: WireWriter, { groupId, generation, memberId }: GroupRight): void {
  writer.string(groupId).int32(generation).string(memberId).nullableString(NOT_STATIC)
}
