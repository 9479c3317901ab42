import type { FakeClock } from '@smart-whale/interfaces/testing'
import { BROKER } from '../../../src/kafka/broker-errors.ts'
import { decodeAssignment } from '../../../src/kafka/client/group-protocol.ts'
import type { GroupRight, JoinGroupResult } from '../../../src/kafka/kafka-api.ts'

/** What a join says of its member. */
export interface JoinRequest {
  readonly memberId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: readonly { readonly metadata: Uint8Array }[]
}

interface Member {
  readonly id: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  metadata: Uint8Array
  assignment: Uint8Array
  session: unknown
  joining: ((answer: JoinGroupResult) => void) | null
  syncing: ((answer: { errorCode: number; assignment: Uint8Array }) => void) | null
}

const NOTHING = new Uint8Array()

/**
 * A consumer group as its coordinator keeps it: members, generations, the rounds of joining and syncing, sessions that run out, and
 * progress that only members of this generation may store (Kafka's classic group protocol).
 */
export class GroupState {
  readonly committed = new Map<number, { offset: bigint; metadata: string }>()
  /** Every commit that was taken: where it stood before, and since. */
  readonly commits: { readonly partition: number; readonly before: bigint; readonly offset: bigint; readonly memberId: string }[] = []
  generation = 0
  state: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty'
  /** Who has each partition, as far as the coordinator can tell; whoever has lost it stays out until another gets it. */
  readonly owners = new Map<number, string>()
  readonly #clock: FakeClock
  readonly #members = new Map<string, Member>()
  readonly #promised = new Set<string>()
  #round: unknown = null
  #names = 0

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  get memberIds(): string[] {
    return [...this.#members.keys()]
  }

  join(client: string, request: JoinRequest): Promise<JoinGroupResult> | JoinGroupResult {
    const { memberId } = request
    if (memberId === '') {
      const named = `${client}-${++this.#names}`
      this.#promised.add(named)
      return refusedJoin(BROKER.MEMBER_ID_REQUIRED, named)
    }
    if (!this.#promised.has(memberId) && !this.#members.has(memberId)) return refusedJoin(BROKER.UNKNOWN_MEMBER_ID, memberId)
    this.#promised.delete(memberId)
    const fresh: Member = { id: memberId, sessionTimeoutMs: 0, rebalanceTimeoutMs: 0, metadata: NOTHING, assignment: NOTHING, session: null, joining: null, syncing: null }
    const member = this.#members.get(memberId) ?? fresh
    this.#members.set(memberId, member)
    Object.assign(member, { sessionTimeoutMs: request.sessionTimeoutMs, rebalanceTimeoutMs: request.rebalanceTimeoutMs, metadata: request.protocols[0]?.metadata ?? NOTHING })
    // Who waits for the round is there, whatever its session says.
    this.#clock.clearTimeout(member.session)
    const { promise, resolve } = Promise.withResolvers<JoinGroupResult>()
    member.joining = resolve
    this.#prepare()
    this.#completeIfAllAreThere()
    return promise
  }

  sync({ memberId, generation, assignments }: GroupRight & { assignments: readonly { memberId: string; assignment: Uint8Array }[] }): Promise<{ errorCode: number; assignment: Uint8Array }> | { errorCode: number; assignment: Uint8Array } {
    const refused = this.#check(memberId, generation)
    if (refused !== BROKER.NONE) return { errorCode: refused, assignment: NOTHING }
    const member = this.#members.get(memberId) as Member
    if (this.state === 'preparing') return { errorCode: BROKER.REBALANCE_IN_PROGRESS, assignment: NOTHING }
    if (this.state === 'stable') return this.#heardWith(member, { errorCode: BROKER.NONE, assignment: member.assignment })
    const { promise, resolve } = Promise.withResolvers<{ errorCode: number; assignment: Uint8Array }>()
    member.syncing = resolve
    if (memberId === this.#leader()) this.#settle(assignments)
    return promise
  }

  heartbeat({ memberId, generation }: GroupRight): { errorCode: number } {
    const refused = this.#check(memberId, generation)
    if (refused !== BROKER.NONE) return { errorCode: refused }
    this.#heard(this.#members.get(memberId) as Member)
    return { errorCode: this.state === 'preparing' ? BROKER.REBALANCE_IN_PROGRESS : BROKER.NONE }
  }

  leave(memberId: string): { errorCode: number } {
    if (!this.#members.has(memberId)) return { errorCode: BROKER.UNKNOWN_MEMBER_ID }
    this.#remove(memberId)
    return { errorCode: BROKER.NONE }
  }

  commit({ memberId, generation, partition, offset, metadata }: GroupRight & { partition: number; offset: bigint; metadata: string }): { errorCode: number } {
    const refused = this.#check(memberId, generation)
    if (refused !== BROKER.NONE) return { errorCode: refused }
    if (this.state === 'completing') return { errorCode: BROKER.REBALANCE_IN_PROGRESS }
    this.#heard(this.#members.get(memberId) as Member)
    this.commits.push({ partition, before: this.committed.get(partition)?.offset ?? -1n, offset, memberId })
    this.committed.set(partition, { offset, metadata })
    return { errorCode: BROKER.NONE }
  }

  /** Another broker coordinates from now on: rounds that were under way begin anew, and sessions as well. */
  move(): void {
    for (const member of this.#members.values()) {
      member.joining = null
      member.syncing = null
      this.#heard(member)
    }
    if (this.state === 'empty') return
    this.state = 'stable'
    this.#prepare()
  }

  /** Nothing is timed any more. */
  close(): void {
    this.#clock.clearTimeout(this.#round)
    for (const { session } of this.#members.values()) this.#clock.clearTimeout(session)
  }

  #check(memberId: string, generation: number): number {
    if (!this.#members.has(memberId)) return BROKER.UNKNOWN_MEMBER_ID
    return generation === this.generation ? BROKER.NONE : BROKER.ILLEGAL_GENERATION
  }

  #leader(): string {
    return this.memberIds[0] ?? ''
  }

  #prepare(): void {
    if (this.state === 'preparing') return
    for (const member of this.#members.values()) {
      member.syncing?.({ errorCode: BROKER.REBALANCE_IN_PROGRESS, assignment: NOTHING })
      member.syncing = null
    }
    this.state = 'preparing'
    const longest = Math.max(0, ...[...this.#members.values()].map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs))
    this.#clock.clearTimeout(this.#round)
    this.#round = this.#clock.setTimeout(() => this.#completeWithout(), longest)
  }

  #completeIfAllAreThere(): void {
    if (this.state === 'preparing' && [...this.#members.values()].every(({ joining }) => joining !== null)) this.#complete()
  }

  /** Those that didn't come in time are out. */
  #completeWithout(): void {
    for (const member of [...this.#members.values()]) if (member.joining === null) this.#forget(member)
    if (this.#members.size === 0) this.state = 'empty'
    else this.#complete()
  }

  #complete(): void {
    this.#clock.clearTimeout(this.#round)
    this.generation++
    this.state = 'completing'
    const leader = this.#leader()
    const members = [...this.#members.values()].map(({ id, metadata }) => ({ memberId: id, metadata }))
    for (const member of this.#members.values()) {
      const answer = { errorCode: BROKER.NONE, generation: this.generation, protocol: 'cooperative-sticky', leader, memberId: member.id, members: member.id === leader ? members : [] }
      member.joining?.(answer)
      member.joining = null
      this.#heard(member)
    }
    const longest = Math.max(0, ...[...this.#members.values()].map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs))
    this.#round = this.#clock.setTimeout(() => this.#dropThoseThatDidNotSync(), longest)
  }

  #dropThoseThatDidNotSync(): void {
    if (this.state !== 'completing') return
    for (const member of [...this.#members.values()]) if (member.syncing === null) this.#remove(member.id)
  }

  #settle(assignments: readonly { memberId: string; assignment: Uint8Array }[]): void {
    this.#clock.clearTimeout(this.#round)
    this.state = 'stable'
    for (const { memberId, assignment } of assignments) {
      const member = this.#members.get(memberId)
      if (member === undefined) continue
      member.assignment = assignment
      for (const partition of decodeAssignment(assignment).get('t') ?? []) this.owners.set(partition, memberId)
    }
    for (const member of this.#members.values()) {
      if (member.syncing === null) continue
      const answer = this.#heardWith(member, { errorCode: BROKER.NONE, assignment: member.assignment })
      member.syncing(answer)
      member.syncing = null
    }
  }

  #heardWith<T>(member: Member, answer: T): T {
    this.#heard(member)
    return answer
  }

  #heard(member: Member): void {
    this.#clock.clearTimeout(member.session)
    member.session = this.#clock.setTimeout(() => {
      if (member.joining === null) this.#remove(member.id)
    }, member.sessionTimeoutMs)
  }

  #remove(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#forget(member)
    if (this.#members.size === 0) {
      this.#clock.clearTimeout(this.#round)
      this.state = 'empty'
      return
    }
    this.#prepare()
    this.#completeIfAllAreThere()
  }

  #forget(member: Member): void {
    this.#members.delete(member.id)
    this.#clock.clearTimeout(member.session)
    member.joining?.(refusedJoin(BROKER.UNKNOWN_MEMBER_ID, member.id))
    member.syncing?.({ errorCode: BROKER.UNKNOWN_MEMBER_ID, assignment: NOTHING })
  }
}

const refusedJoin = (errorCode: number, memberId: string): JoinGroupResult => ({ errorCode, generation: -1, protocol: null, leader: '', memberId, members: [] })
