import type { Topology } from './topology.ts'

/** What a shard answers, with the version of the newest topology that it has been told of. */
export interface ShardAnswer<T> {
  readonly version: number
  readonly answer: T
}

/** An entry as it moves. */
export interface MovingEntry {
  readonly payload: string
  /** Milliseconds left; 0 for until it is deleted. */
  readonly leftMs: number
}

/**
 * One server of a distribution. Each method is one atomic step there. Whoever changes something says by which version of the topology; where a newer one
 * is known, nothing is changed.
 */
export interface CacheShard {
  connect(): Promise<void>
  disconnect(): Promise<void>
  get(key: string): Promise<ShardAnswer<string | undefined>>
  /** Milliseconds left; `null` for no entry, or none that ends. */
  look(key: string): Promise<ShardAnswer<{ readonly exists: boolean; readonly leftMs: number | null }>>
  /** Ends a move of the key hither. @param lifeMs 0 for until it is deleted */
  set(key: string, payload: string, lifeMs: number, version: number): Promise<ShardAnswer<undefined>>
  /** Ends a move of the key hither; whether there was an entry. */
  delete(key: string, version: number): Promise<ShardAnswer<boolean>>
  /** All keys, in portions; one may come twice. */
  scan(): AsyncIterable<string[]>
  /** Removes all entries, of any topology. */
  clear(): Promise<void>

  /** Begins to move an entry hither; `false` when there is one. A write, a deletion, and another move of the key end it. */
  beginMove(key: string, token: string, lifeMs: number, version: number): Promise<ShardAnswer<boolean>>
  /** Puts the entry in, if its move was not ended meanwhile; whether it was put in. */
  finishMove(key: string, token: string, entry: MovingEntry, version: number): Promise<ShardAnswer<boolean>>
  /** The entry of a key that is to move away. */
  peek(key: string): Promise<MovingEntry | undefined>

  readTopology(): Promise<Topology | undefined>
  /** Tells the shard of a topology, which it takes if it is newer, and comes right after that version if one is given. The one that it knows then. */
  tellTopology(topology: Topology, after?: number): Promise<Topology | undefined>
}
