import { rebalanceError } from '../errors.ts'
import { newToken } from '../manager/load-token.ts'
import type { CacheShard, ShardAnswer } from './cache-shard.ts'
import { placeOf, type Topology } from './topology.ts'

/** A move that takes longer has ended. */
const MOVE_MS = 10_000
const MOVES_AT_A_TIME = 64
const TRIES = 3

/** What a rebalancing has done. */
export interface RebalanceReport {
  /** Entries that moved to another node. */
  readonly moved: number
  /** Entries that stood where they don't belong, and were removed. */
  readonly strays: number
}

/**
 * Brings all entries of one shard to where they belong. Reads, writes and deletions go on: they take the old place's entry away first and then come to the new
 * place, where they end the move. So an entry that was read at the old place before that isn't put in any more.
 */
export async function moveEntriesOf(name: string, topology: Topology, shardOf: (name: string) => CacheShard, signal?: AbortSignal): Promise<RebalanceReport> {
  const report = { moved: 0, strays: 0 }
  const source = shardOf(name)
  const settle = async (key: string): Promise<void> => {
    const { owner, previous } = placeOf(topology, key)
    if (owner === name) return
    const isMoved = previous === name && (await move(key, source, shardOf(owner), topology.version))
    const isStray = previous !== name && (await source.delete(key, topology.version)).answer
    if (isMoved) report.moved += 1
    if (isStray) report.strays += 1
  }
  for await (const keys of source.scan()) {
    for (let at = 0; at < keys.length; at += MOVES_AT_A_TIME) {
      signal?.throwIfAborted()
      await Promise.all(keys.slice(at, at + MOVES_AT_A_TIME).map(settle))
    }
  }
  return report
}

/** Whether there was something left to move. @throws OperationError `ERR_CACHE_REBALANCE` when it has to be done anew */
async function move(key: string, source: CacheShard, target: CacheShard, version: number): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    const token = newToken()
    const isBegun = unlessOutdated(await target.beginMove(key, token, MOVE_MS, version), version)
    const entry = isBegun ? await source.peek(key) : undefined
    // Written, deleted or expired meanwhile: nothing is left to move.
    if (isBegun && entry === undefined) return false
    if (entry === undefined || unlessOutdated(await target.finishMove(key, token, entry, version), version)) {
      await source.delete(key, version)
      return entry !== undefined
    }
  }
  throw rebalanceError('entries are written and moved by others faster than they could be moved here')
}

function unlessOutdated<T>({ version, answer }: ShardAnswer<T>, mine: number): T {
  if (version > mine) throw rebalanceError('another process has changed the list of nodes meanwhile')
  return answer
}
