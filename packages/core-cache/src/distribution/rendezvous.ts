import { type Candidate, rendezvousHash } from '@smart-whale/core-resilience'

/** All nodes hold as much as the others. */
const EQUAL = { weight: 1, underWay: 0, latencyMs: 0 }

const rendezvous = rendezvousHash()
/** The list of nodes stays the same for as long as nothing is rebalanced. */
const candidatesOf = new WeakMap<readonly string[], readonly Candidate[]>()

/**
 * The node that a key belongs to. When one comes or goes, only the keys move that it wins or had won. All processes must find the same one: this must never change.
 *
 * @param nodes in one order everywhere: of two that win by as much, the first has it
 */
export function ownerOf(nodes: readonly string[], key: string): string {
  let candidates = candidatesOf.get(nodes)
  if (candidates === undefined) {
    candidates = nodes.map((name) => ({ name, ...EQUAL }))
    candidatesOf.set(nodes, candidates)
  }
  return rendezvous.choose(candidates, key, Math.random).name
}
