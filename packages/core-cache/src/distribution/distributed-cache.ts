import { type CachingInterface, compileGlob } from '@smart-whale/interfaces'
import { requireKey, requireTtl, requireValue } from '../check-entry.ts'
import { optionError, rebalanceError } from '../errors.ts'
import { openValue, sealValue } from '../codec/value-payload.ts'
import type { CacheShard, ShardAnswer } from './cache-shard.ts'
import { moveEntriesOf, type RebalanceReport } from './move-entries.ts'
import { isNewer, membersOf, type Place, placeOf, settled, type Topology, topologyAfter } from './topology.ts'

/** How often a call looks for a newer list of nodes before it gives up. */
const MOST_REFRESHES = 8

/** What a rebalancing may be told. */
export interface RebalanceOptions {
  /** Nodes that are gone for good, with their entries; every other one that leaves must be there to give its entries away. @default none */
  lost?: readonly string[] | undefined
  /** Ends it between two entries; `sync` goes on with it. @default never aborted */
  signal?: AbortSignal | undefined
}

/** Entries spread over several servers, behind the caching contract. */
export interface CacheDistribution extends CachingInterface {
  /** Which node each key belongs to. */
  distribute(keys: Iterable<string>): ReadonlyMap<string, readonly string[]>
  /**
   * Has these nodes hold the entries from now on, and moves what must move; reads, writes and deletions go on in all processes.
   *
   * @throws OperationError `ERR_CACHE_REBALANCE` when not everything could be moved: what is left is found where it was, and `sync` goes on
   */
  rebalance(nodes: readonly string[], options?: RebalanceOptions): Promise<RebalanceReport>
  /** Learns which nodes hold the entries by now, and finishes a rebalancing that was broken off. */
  sync(options?: Pick<RebalanceOptions, 'signal'>): Promise<RebalanceReport>
}

/** What a {@link DistributedCache} is made of. */
export interface DistributedCacheParts {
  /** Where to begin; what the nodes themselves know is newer. */
  readonly nodes: readonly string[]
  readonly shardFor: (name: string) => CacheShard
  /** Milliseconds; 0 for until it is deleted. */
  readonly defaultLifeMs: number
}

/**
 * Spreads entries over shards by rendezvous hashing. Each shard knows the newest list of nodes, and refuses whoever works by an older one, who then learns of it:
 * so no two processes write a key to different places. While entries move, a key is looked for at its new place, then at its old one; a write or
 * deletion removes the old place's entry first, and then comes to the new place.
 */
export class DistributedCache implements CacheDistribution {
  readonly #parts: DistributedCacheParts
  readonly #shards = new Map<string, Promise<CacheShard>>()
  readonly #open = new Map<string, CacheShard>()
  #topology: Topology | undefined
  #connecting: Promise<void> | undefined

  constructor(parts: DistributedCacheParts) {
    requireNodes(parts.nodes)
    this.#parts = parts
  }

  connect(): Promise<void> {
    this.#connecting ??= this.#begin().catch((error: unknown) => {
      this.#connecting = undefined
      throw error
    })
    return this.#connecting
  }

  async disconnect(): Promise<void> {
    const shards = [...this.#shards.values()]
    this.#shards.clear()
    this.#open.clear()
    this.#topology = undefined
    this.#connecting = undefined
    for (const shard of shards) await shard.then((made) => made.disconnect(), () => {})
  }

  async get<T = unknown>(key: string): Promise<T | undefined> {
    requireKey(key)
    const payload = await this.#find(key, (shard) => shard.get(key), (found) => found !== undefined)
    return payload === undefined ? undefined : (openValue(payload)?.value as T | undefined)
  }

  async set(key: string, value: unknown, ttlSeconds?: number): Promise<void> {
    requireKey(key)
    requireValue(value)
    requireTtl(ttlSeconds)
    const payload = sealValue(value)
    const lifeMs = ttlSeconds === undefined ? this.#parts.defaultLifeMs : ttlSeconds === Infinity ? 0 : Math.max(1, Math.ceil(ttlSeconds * 1000))
    await this.#change(key, async (shard, { version }) => shard.set(key, payload, lifeMs, version))
  }

  async delete(key: string): Promise<boolean> {
    requireKey(key)
    return this.#change(key, (shard, { version }) => shard.delete(key, version))
  }

  async exists(key: string): Promise<boolean> {
    requireKey(key)
    return (await this.#find(key, (shard) => shard.look(key), ({ exists }) => exists)).exists
  }

  async ttl(key: string): Promise<number | null> {
    requireKey(key)
    const { leftMs } = await this.#find(key, (shard) => shard.look(key), ({ exists }) => exists)
    return leftMs === null ? null : leftMs / 1000
  }

  async *scanKeys(pattern: string): AsyncIterable<string> {
    const matches = compileGlob(pattern)
    const seen = new Set<string>()
    // Those that leave first: what moves meanwhile is then met at its new place.
    for (const name of membersOf(await this.#current())) {
      for await (const keys of (await this.#shard(name)).scan()) {
        const found = new Set(keys.filter((key) => !seen.has(key) && matches(key)))
        for (const key of found) seen.add(key)
        yield* found
      }
    }
  }

  distribute(keys: Iterable<string>): ReadonlyMap<string, readonly string[]> {
    const topology = this.#topology ?? topologyAfter(0, this.#parts.nodes)
    const byNode = new Map<string, string[]>(topology.nodes.map((node) => [node, []]))
    for (const key of keys) byNode.get(placeOf(topology, key).owner)?.push(key)
    return byNode
  }

  async rebalance(nodes: readonly string[], { lost = [], signal }: RebalanceOptions = {}): Promise<RebalanceReport> {
    requireNodes(nodes)
    const wrong = lost.find((name) => nodes.includes(name))
    if (wrong !== undefined) throw optionError('lost', wrong, 'without nodes that are to hold entries')
    await this.connect()
    await this.#refresh()
    const before = await this.#current()
    // What was begun earlier has to be done: a key is looked for in two places, not in three.
    if (before.previous.length > 0) await this.#finish({ ...before, lost: [...new Set([...before.lost, ...lost])] }, signal)
    const { version, nodes: previous } = await this.#current()
    // Entries that a newcomer holds are of an earlier time, when it was part of it.
    for (const name of nodes) if (!previous.includes(name)) await (await this.#shard(name)).clear()
    const next = topologyAfter(version, nodes, previous, lost.filter((name) => previous.includes(name)))
    return this.#finish(next, signal, version)
  }

  async sync({ signal }: Pick<RebalanceOptions, 'signal'> = {}): Promise<RebalanceReport> {
    await this.connect()
    await this.#refresh()
    const topology = await this.#current()
    return topology.previous.length === 0 ? { moved: 0, strays: 0 } : this.#finish(topology, signal)
  }

  /** Has all members know of a topology, moves the entries, and says that they have moved. */
  async #finish(topology: Topology, signal: AbortSignal | undefined, after?: number): Promise<RebalanceReport> {
    const sum = { moved: 0, strays: 0 }
    try {
      await this.#tellAll(topology, membersOf(topology), after)
      for (const name of membersOf(topology)) {
        const { moved, strays } = await moveEntriesOf(name, topology, (shard) => this.#opened(shard), signal)
        sum.moved += moved
        sum.strays += strays
      }
      await this.#tellAll(settled(topology), membersOf(topology))
      return sum
    } catch (error) {
      throw (error as { readonly code?: unknown }).code === 'ERR_CACHE_REBALANCE' ? error : rebalanceError(error instanceof Error ? error.message : String(error), error)
    }
  }

  /**
   * Every one of them must know it before anybody works by it. Of several processes that would have another one at the same time, the first node decides: it
   * takes none but the next after the one that it knows.
   */
  async #tellAll(topology: Topology, members: readonly string[], after?: number): Promise<void> {
    for (const [index, name] of members.entries()) {
      const known = await (await this.#shard(name)).tellTopology(topology, index === 0 ? after : undefined)
      if (known?.version !== topology.version || known.mark !== topology.mark) throw rebalanceError('another process has changed the list of nodes meanwhile')
    }
    this.#topology = topology
  }

  /** Looks for something at a key's place, and where it may still be. What moves between the two looks is found by a third. */
  async #find<T>(key: string, look: (shard: CacheShard) => Promise<ShardAnswer<T>>, isFound: (answer: T) => boolean): Promise<T> {
    return this.#byNewest(key, async ({ owner, previous }, topology) => {
      const places = previous === undefined ? [owner] : [owner, previous, owner]
      for (const [index, name] of places.entries()) {
        const { version, answer } = await look(await this.#shard(name))
        if (version !== topology.version && !this.#agrees(name, version, topology)) return undefined
        if (isFound(answer) || index === places.length - 1) return { answer }
      }
      return undefined
    })
  }

  /** Whether a shard knows nothing newer. One that knows less has begun anew, and is told. */
  #agrees(name: string, version: number, topology: Topology): boolean {
    if (version < topology.version) this.#shard(name).then((shard) => shard.tellTopology(topology)).catch(() => {})
    return version <= topology.version
  }

  /** Changes a key's entry; whether one was removed. */
  async #change(key: string, step: (shard: CacheShard, topology: Topology) => Promise<ShardAnswer<unknown>>): Promise<boolean> {
    return this.#byNewest(key, async ({ owner, previous }, topology) => {
      let wasThere = false
      if (previous !== undefined) {
        const removed = await (await this.#shard(previous)).delete(key, topology.version)
        if (!this.#agrees(previous, removed.version, topology)) return undefined
        wasThere = removed.answer
      }
      const { version, answer } = await step(await this.#shard(owner), topology)
      return this.#agrees(owner, version, topology) ? { answer: wasThere || answer === true } : undefined
    })
  }

  /** Does something by the newest topology: who is refused, learns of a newer one and tries again. */
  async #byNewest<T>(key: string, work: (place: Place, topology: Topology) => Promise<{ readonly answer: T } | undefined>): Promise<T> {
    for (let tries = 0; tries < MOST_REFRESHES; tries++) {
      const topology = await this.#current()
      const done = await work(placeOf(topology, key), topology)
      if (done !== undefined) return done.answer
      await this.#refresh()
    }
    throw rebalanceError('the list of nodes changes faster than it can be followed')
  }

  async #current(): Promise<Topology> {
    if (this.#topology === undefined) await this.connect()
    return this.#topology as Topology
  }

  async #begin(): Promise<void> {
    await this.#refresh()
    if (this.#topology !== undefined) return
    const first = topologyAfter(0, this.#parts.nodes)
    // One that is away may know of a list that the others have forgotten.
    const [shard] = await Promise.all(first.nodes.map((name) => this.#shard(name)))
    // Others may begin at the same time: the first node knows who was first.
    await shard?.tellTopology(first, 0)
    await this.#refresh()
  }

  /** Learns the newest topology that any node knows, and works by it when all others know it as well. */
  async #refresh(): Promise<void> {
    let newest = this.#topology
    let isKnownToAll = false
    for (let names = new Set([...this.#parts.nodes, ...(newest ? membersOf(newest) : [])]); !isKnownToAll; names = new Set(newest && membersOf(newest))) {
      const topology: Topology | undefined = newest
      const answers = await Promise.all([...names].map((name) => this.#exchange(name, topology)))
      for (const known of answers) if (known !== undefined && isNewer(known, newest)) newest = known
      // One that was learnt here is told in the next round.
      isKnownToAll = newest === topology
    }
    if (newest !== undefined) this.#topology = newest
  }

  /** Tells a node of a topology; what it knows then. A node that is away knows nothing, and is told when it is asked again. */
  async #exchange(name: string, topology: Topology | undefined): Promise<Topology | undefined> {
    try {
      const shard = await this.#shard(name)
      return topology === undefined ? await shard.readTopology() : await shard.tellTopology(topology)
    } catch {
      return undefined
    }
  }

  #opened(name: string): CacheShard {
    return this.#open.get(name) as CacheShard
  }

  #shard(name: string): Promise<CacheShard> {
    const known = this.#shards.get(name)
    if (known !== undefined) return known
    const made = this.#parts.shardFor(name)
    const opening = made.connect().then(() => {
      this.#open.set(name, made)
      return made
    })
    this.#shards.set(name, opening)
    opening.catch(() => this.#shards.delete(name))
    return opening
  }
}

function requireNodes(nodes: readonly string[]): void {
  if (nodes.length === 0 || new Set(nodes).size !== nodes.length) throw optionError('nodes', nodes.length, 'a list of at least one node, each once')
}
