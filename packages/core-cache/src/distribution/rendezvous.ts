/**
 * The node that a key belongs to: the one with the highest score for it. When a node comes or goes, only the keys move that it wins or had won
 * (D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998). All processes must find the same one: this must never change.
 */
export function ownerOf(nodes: readonly string[], key: string): string {
  let best = nodes[0] as string
  let highest = -1
  for (const node of nodes) {
    const score = scoreOf(node, key)
    // Of equals, whose names come later in the alphabet: lists may be in any order.
    if (score > highest || (score === highest && node > best)) [best, highest] = [node, score]
  }
  return best
}

/** 32 bits of a node and a key: FNV-1a, and the finish of MurmurHash3, as the former mixes the last characters badly. */
function scoreOf(node: string, key: string): number {
  let hash = hashOn(0x811c9dc5, node)
  // Between the two: ("ab", "c") is not ("a", "bc").
  hash = hashOn(Math.imul(hash ^ 0xffff, 0x01000193), key)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function hashOn(start: number, text: string): number {
  let hash = start
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
