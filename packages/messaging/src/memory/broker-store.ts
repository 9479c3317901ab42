import { createHash } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messagingError } from '../errors.ts'
import { onDisk } from '../map-error.ts'
import type { TopicDescription } from '../transport.ts'
import { readCheckedFile, writeCheckedFile } from './checked-file.ts'
import { type FolderLock, lockFolder } from './folder-lock.ts'
import { syncFolder } from './log/atomic-file.ts'
import { FolderSegmentStore } from './log/folder-segment-store.ts'
import { createMemorySegmentStore } from './log/memory-segment-store.ts'
import type { SegmentStore } from './log/segment-store.ts'
import { TailCache } from './log/tail-cache.ts'
import type { MemoryBrokerSettings } from './options.ts'
import { type CommitPlan, planOf, type StoredPlan, storedPlan } from './transactions/commit-plan.ts'

/** A group's progress in one partition. */
export interface GroupProgress {
  readonly nextOffset: number
  /** What the committer said besides; '' when nothing. */
  readonly metadata: string
}

/** A group's progress: topic id, partition, next offset, and what was said with it (absent in files of earlier versions). */
export type GroupOffsets = readonly (readonly [topicId: string, partition: number, nextOffset: number, metadata?: string])[]

/** Where a broker keeps what outlives it. */
export interface BrokerStore {
  open(): Promise<void>
  close(): void
  loadTopics(): Promise<readonly TopicDescription[]>
  saveTopics(topics: readonly TopicDescription[]): Promise<void>
  loadGroups(): Promise<ReadonlyMap<string, GroupOffsets>>
  saveGroup(groupId: string, offsets: GroupOffsets): Promise<void>
  /** Writes down a transaction that is decided, until it is forgotten; there is one at a time. */
  saveCommit(plan: CommitPlan): Promise<void>
  loadCommit(): Promise<CommitPlan | undefined>
  forgetCommit(): Promise<void>
  segmentsOf(topicId: string, partition: number): SegmentStore
  /** Deletes what is left of a topic. */
  removeTopic(topicId: string): Promise<void>
}

/** Keeps everything in this process: what a stopped broker had is lost. */
export function createVolatileStore(): BrokerStore {
  return {
    open: () => Promise.resolve(),
    close: () => {},
    loadTopics: () => Promise.resolve([]),
    saveTopics: () => Promise.resolve(),
    loadGroups: () => Promise.resolve(new Map()),
    saveGroup: () => Promise.resolve(),
    saveCommit: () => Promise.resolve(),
    loadCommit: () => Promise.resolve(undefined),
    forgetCommit: () => Promise.resolve(),
    segmentsOf: () => createMemorySegmentStore(),
    removeTopic: () => Promise.resolve(),
  }
}

/** Keeps everything in a folder: `topics.json`, `transaction.json` while one is being committed, `groups/<hash>.json`, `topics/<id>/<partition>/<offset>.log`. */
export class FolderStore implements BrokerStore {
  readonly #folder: string
  readonly #settings: MemoryBrokerSettings
  readonly #cache: TailCache
  #lock: FolderLock | undefined

  constructor(folder: string, settings: MemoryBrokerSettings) {
    this.#folder = folder
    this.#settings = settings
    this.#cache = new TailCache(settings.cacheBytes)
  }

  async open(): Promise<void> {
    this.#lock = await lockFolder(this.#folder)
    try {
      await onDisk(this.#folder, 'making the data folder', async () => {
        await mkdir(this.#topicsFolder, { recursive: true })
        await mkdir(this.#groupsFolder, { recursive: true })
      })
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#lock?.release()
    this.#lock = undefined
  }

  async loadTopics(): Promise<readonly TopicDescription[]> {
    const stored = (await readCheckedFile(this.#topicsFile)) as { topics: TopicDescription[] } | undefined
    const folders = await onDisk(this.#topicsFolder, 'reading the data folder', () => readdir(this.#topicsFolder))
    if (stored === undefined) {
      if (folders.length > 0) throw this.#topicsMissing()
      return []
    }
    // What a crash left of a topic that was being made or deleted.
    const known = new Set(stored.topics.map((topic) => topic.id))
    for (const leftover of folders.filter((name) => !known.has(name))) await this.removeTopic(leftover)
    return stored.topics
  }

  saveTopics(topics: readonly TopicDescription[]): Promise<void> {
    return writeCheckedFile(this.#topicsFile, { topics }, this.#settings.durability)
  }

  async loadGroups(): Promise<ReadonlyMap<string, GroupOffsets>> {
    const groups = new Map<string, GroupOffsets>()
    for (const name of await onDisk(this.#groupsFolder, 'reading the data folder', () => readdir(this.#groupsFolder))) {
      if (!name.endsWith('.json')) continue
      const stored = (await readCheckedFile(join(this.#groupsFolder, name))) as { groupId: string; offsets: GroupOffsets }
      groups.set(stored.groupId, stored.offsets)
    }
    return groups
  }

  saveGroup(groupId: string, offsets: GroupOffsets): Promise<void> {
    const name = createHash('sha256').update(groupId).digest('hex').slice(0, 32)
    return writeCheckedFile(join(this.#groupsFolder, `${name}.json`), { groupId, offsets }, this.#settings.durability)
  }

  saveCommit(plan: CommitPlan): Promise<void> {
    return writeCheckedFile(this.#commitFile, storedPlan(plan), this.#settings.durability)
  }

  async loadCommit(): Promise<CommitPlan | undefined> {
    const stored = (await readCheckedFile(this.#commitFile)) as StoredPlan | undefined
    return stored === undefined ? undefined : planOf(stored)
  }

  /** Forgotten for good: a note that came back with a power failure would set a group's progress back. */
  forgetCommit(): Promise<void> {
    return onDisk(this.#commitFile, 'removing', async () => {
      await rm(this.#commitFile, { force: true })
      if (this.#settings.durability === 'fsync') await syncFolder(this.#folder)
    })
  }

  segmentsOf(topicId: string, partition: number): SegmentStore {
    const { durability, logger } = this.#settings
    return new FolderSegmentStore({ folder: join(this.#topicsFolder, topicId, String(partition)), durability, cache: this.#cache, logger })
  }

  removeTopic(topicId: string): Promise<void> {
    const folder = join(this.#topicsFolder, topicId)
    return onDisk(folder, 'removing', () => rm(folder, { recursive: true, force: true }))
  }

  get #topicsFolder(): string {
    return join(this.#folder, 'topics')
  }

  get #groupsFolder(): string {
    return join(this.#folder, 'groups')
  }

  get #topicsFile(): string {
    return join(this.#folder, 'topics.json')
  }

  get #commitFile(): string {
    return join(this.#folder, 'transaction.json')
  }

  #topicsMissing(): Error {
    return messagingError(
      'ERR_MESSAGING_LOG_CORRUPT',
      `the folder ${this.#folder} has records, but ${this.#topicsFile}, which says whose they are, is gone. Restore it from a backup, or begin with an empty data folder`,
      { context: { path: this.#topicsFile } },
    )
  }
}
