import { randomInt } from 'node:crypto'
import { ownerOf } from './rendezvous.ts'

/** Which nodes hold the entries. Every node knows it, and refuses whoever works by an older one. */
export interface Topology {
  readonly version: number
  /** A random number that tells it from another of that version: of two that are made at the same time, the one with the greater wins. */
  readonly mark: number
  readonly nodes: readonly string[]
  /** The nodes before, as long as entries move from there; empty when they have all moved. */
  readonly previous: readonly string[]
  /** Nodes of those before that are gone for good: nobody asks them. */
  readonly lost: readonly string[]
}

/** Where a key is to be looked for. */
export interface Place {
  readonly owner: string
  /** Where it may still be; undefined when it can't be anywhere else. */
  readonly previous: string | undefined
}

/** A topology that comes after a version. */
export const topologyAfter = (version: number, nodes: readonly string[], previous: readonly string[] = [], lost: readonly string[] = []): Topology =>
  ({ version: version + 1, mark: randomInt(2 ** 47), nodes: [...nodes].sort(), previous, lost })

/** Where a key is. */
export function placeOf({ nodes, previous, lost }: Topology, key: string): Place {
  const owner = ownerOf(nodes, key)
  if (previous.length === 0) return { owner, previous: undefined }
  const before = ownerOf(previous, key)
  return { owner, previous: before === owner || lost.includes(before) ? undefined : before }
}

/** The same when all entries have moved: whoever comes to that end comes to the same one. */
export const settled = ({ version, mark, nodes }: Topology): Topology => ({ version: version + 1, mark, nodes, previous: [], lost: [] })

/** Nodes that take part, now or until the entries have moved; those from before first. */
export const membersOf = ({ nodes, previous, lost }: Topology): string[] => [...new Set([...previous, ...nodes])].filter((node) => !lost.includes(node))

/** Whether one takes the place of another. */
export const isNewer = (topology: Topology, than: Topology | undefined): boolean =>
  than === undefined || topology.version > than.version || (topology.version === than.version && topology.mark > than.mark)

/** `undefined` for what nobody of ours wrote. */
export function readTopology(text: string | null | undefined): Topology | undefined {
  try {
    const read = JSON.parse(text ?? '') as Partial<Topology> | null
    const lists = [read?.nodes, read?.previous, read?.lost]
    const isWhole = Number.isSafeInteger(read?.version) && typeof read?.mark === 'number' && lists.every((list) => Array.isArray(list) && list.every((name) => typeof name === 'string'))
    return isWhole && (read as Topology).nodes.length > 0 ? (read as Topology) : undefined
  } catch {
    return undefined
  }
}
