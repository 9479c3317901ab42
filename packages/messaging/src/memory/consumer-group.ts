import type { Clock, Logger } from '@smart-whale/interfaces'
import { messagingError } from '../errors.ts'
import { runCall } from '../run-call.ts'
import type { TransportCallOptions } from '../transport.ts'
import { assignPartitions } from './assign-partitions.ts'
import type { GroupOffsets, GroupProgress } from './broker-store.ts'
import { CoalescedSave } from './coalesced-save.ts'
import type { GroupMember } from './group-member.ts'
import { Ownership, type ProgressGroup } from './ownership.ts'
import type { Topic } from './topic.ts'

/** What a group needs of its broker. */
export interface ConsumerGroupOptions {
  /** Name of the group, unique in its broker. @default none, required */
  readonly groupId: string
  /** Progress that was saved before, for the group to go on from. @default nothing was committed */
  readonly offsets?: GroupOffsets | undefined
  /** The topic of a name, or undefined when the broker has none (any more). @default none, required */
  readonly findTopic: (name: string) => Topic | undefined
  /** Keeps the whole of the group's progress; resolves when it is durable, and only then is a commit done. @default none, required */
  readonly save: (offsets: GroupOffsets) => Promise<void>
  /** How long a revoked handler may take, in milliseconds, before its partition is taken from it. @default none, required */
  readonly handoverTimeoutMs: number
  /** Measures `handoverTimeoutMs` and the deadlines of commits. @default none, required */
  readonly clock: Clock
  /** Told who reads what, and which handlers were too slow to give it up. @default none, required */
  readonly logger: Logger
}

interface WantedPartition {
  readonly key: string
  readonly topic: string
  readonly source: Topic
  readonly partition: number
}

/**
 * Members that share the partitions of their topics. Who should read what is worked out anew with every change; then each
 * partition is brought there on its own: revoked where it is, given on once its handler has returned. The others go on undisturbed.
 */
export class ConsumerGroup implements ProgressGroup {
  readonly groupId: string
  readonly #options: ConsumerGroupOptions
  readonly #members = new Map<string, GroupMember>()
  readonly #owners = new Map<string, Ownership>()
  readonly #committed = new Map<string, GroupProgress>()
  readonly #saving: CoalescedSave
  /** Partitions whose progress is about to change: whoever got one now would begin at the old one. */
  readonly #heldStill = new Set<string>()
  #target = new Map<string, string>()
  #generation = 0

  constructor(options: ConsumerGroupOptions) {
    this.groupId = options.groupId
    this.#options = options
    for (const [topicId, partition, nextOffset, metadata = ''] of options.offsets ?? []) this.#committed.set(keyOf(topicId, partition), { nextOffset, metadata })
    this.#saving = new CoalescedSave(() => options.save(this.#offsets()))
  }

  /** Grows with each change of who reads what. */
  get generation(): number {
    return this.#generation
  }

  /** The group's progress in a partition; null when nothing was committed there. */
  committed(topicId: string, partition: number): GroupProgress | null {
    return this.#committed.get(keyOf(topicId, partition)) ?? null
  }

  join(member: GroupMember): void {
    this.#members.set(member.id, member)
    this.rebalance()
  }

  /** The member gets nothing more; what it has is revoked. Resolves when all of it is given up. */
  async leave(member: GroupMember): Promise<void> {
    this.#members.delete(member.id)
    this.rebalance()
    await Promise.all(this.#ownedBy(member).map((ownership) => ownership.released))
  }

  /** The member is gone, as a process that died: whatever it still does is refused from now on. */
  expel(member: GroupMember, reason: unknown): void {
    this.#members.delete(member.id)
    for (const ownership of this.#ownedBy(member)) {
      ownership.fence(reason)
      this.#owners.delete(ownership.key)
    }
    this.rebalance()
  }

  /** Works out who should read what, and sets going whatever is needed to get there. */
  rebalance(): void {
    const wanted = this.#wantedPartitions()
    const target = assignPartitions(wanted, [...this.#members.values()], this.#target)
    if (!sameAssignment(target, this.#target)) this.#generation++
    this.#target = target
    for (const ownership of this.#owners.values()) {
      if (target.get(ownership.key) !== ownership.member.id) this.#release(ownership)
    }
    for (const partition of wanted) {
      const member = this.#members.get(target.get(partition.key) ?? '')
      if (member !== undefined && !this.#owners.has(partition.key) && !this.#heldStill.has(partition.key)) this.#grant(partition, member)
    }
  }

  holdStill(key: string): () => void {
    this.#heldStill.add(key)
    return () => {
      this.#heldStill.delete(key)
      this.rebalance()
    }
  }

  async storeProgress(entries: readonly (readonly [key: string, progress: GroupProgress])[]): Promise<void> {
    for (const [key, progress] of entries) this.#committed.set(key, progress)
    await this.#saving.request()
  }

  /** Forgets a topic that was deleted, and takes it from whoever reads it. */
  async forgetTopic(topicId: string): Promise<void> {
    const keys = [...this.#committed.keys()].filter((key) => key.startsWith(`${topicId}/`))
    for (const key of keys) this.#committed.delete(key)
    this.rebalance()
    if (keys.length > 0) await this.#saving.request()
  }

  /** Resolves when the progress is saved. */
  async close(): Promise<void> {
    const stopped = messagingError('ERR_MESSAGING_MEMBERSHIP_LOST', `the broker stopped while group "${this.groupId}" was reading`)
    for (const member of [...this.#members.values()]) member.fail(stopped)
    await this.#saving.idle()
  }

  #grant({ key, source, partition }: WantedPartition, member: GroupMember): void {
    const startOffset = this.#startOffset(source, partition, member)
    const ownership = new Ownership({
      key,
      group: this,
      member,
      topic: source,
      partition,
      startOffset,
      generation: this.#generation,
      clock: this.#options.clock,
      committed: () => this.committed(source.id, partition),
      commit: (progress, options) => this.#commit(key, progress, options),
      onFailure: (error) => member.giveUp(error),
    })
    this.#owners.set(key, ownership)
    this.#options.logger.debug({ ...this.#contextOf(ownership), startOffset }, 'partition assigned')
    ownership.begin()
  }

  #release(ownership: Ownership): void {
    if (ownership.signal.aborted) return
    const { clock, handoverTimeoutMs, logger } = this.#options
    logger.debug(this.#contextOf(ownership), 'partition revoked')
    void ownership.revoke(handoverTimeoutMs, clock).then((isClean) => {
      if (!isClean) logger.warn({ ...this.#contextOf(ownership), handoverTimeoutMs }, 'partition taken from a handler that did not return in time')
      if (this.#owners.get(ownership.key) === ownership) this.#owners.delete(ownership.key)
      this.rebalance()
    })
  }

  async #commit(key: string, progress: GroupProgress, options: TransportCallOptions | undefined): Promise<void> {
    this.#committed.set(key, progress)
    await runCall(`committing offset ${progress.nextOffset} of group "${this.groupId}"`, options, this.#options.clock, () => this.#saving.request())
  }

  #startOffset(topic: Topic, partition: number, member: GroupMember): number {
    const log = topic.logs[partition]
    const [earliest, latest] = [log?.earliest ?? 0, log?.latest ?? 0]
    const committed = this.committed(topic.id, partition)?.nextOffset ?? null
    if (committed !== null && committed >= earliest && committed <= latest) return committed
    if (committed !== null) {
      const context = { groupId: this.groupId, topic: topic.name, partition, committed, earliest, latest }
      this.#options.logger.warn(context, 'the committed offset is no longer there; reading begins at the first one that is')
      return earliest
    }
    return member.startFrom === 'latest' ? latest : earliest
  }

  #wantedPartitions(): WantedPartition[] {
    const names = new Set([...this.#members.values()].flatMap((member) => [...member.topics]))
    const wanted: WantedPartition[] = []
    for (const name of names) {
      const source = this.#options.findTopic(name)
      source?.logs.forEach((_, partition) => wanted.push({ key: keyOf(source.id, partition), topic: name, source, partition }))
    }
    return wanted
  }

  #ownedBy(member: GroupMember): Ownership[] {
    return [...this.#owners.values()].filter((ownership) => ownership.member === member)
  }

  #offsets(): GroupOffsets {
    return [...this.#committed].map(([key, { nextOffset, metadata }]) => {
      const [topicId = '', partition] = key.split('/')
      return [topicId, Number(partition), nextOffset, metadata] as const
    })
  }

  #contextOf(ownership: Ownership): Record<string, unknown> {
    const { member, topic, partition } = ownership
    return { groupId: this.groupId, memberId: member.id, topic: topic.name, partition, generation: this.#generation }
  }
}

const keyOf = (topicId: string, partition: number): string => `${topicId}/${partition}`

function sameAssignment(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, member]) => other.get(key) === member)
}
