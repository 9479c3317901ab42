/**
 * The meaning of a glob, written for being obviously right rather than fast: what follows is tried in every way.
 * Independent of `compileGlob`, which it is compared with.
 */
export function matchesGlobByDefinition(pattern: string, key: string): boolean {
  return matchFrom(Array.from(pattern), Array.from(key))
}

function matchFrom(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return key.length === 0
  if (first === '*') return matchFrom(rest, key) || (key.length > 0 && matchFrom(pattern, key.slice(1)))
  const [character, ...others] = key
  if (character === undefined) return false
  if (first === '?') return matchFrom(rest, others)
  const set = first === '[' ? readSet(rest) : undefined
  if (set !== undefined) return set.accepts(character) && matchFrom(set.after, others)
  if (first === '\\' && rest.length > 0) return rest[0] === character && matchFrom(rest.slice(1), others)
  return first === character && matchFrom(rest, others)
}

/** The set that the text after a `[` begins with, and what follows its `]`; `undefined` when there is no `]`. */
function readSet(text: readonly string[]): { accepts: (character: string) => boolean; after: readonly string[] } | undefined {
  const members: { character: string; escaped: boolean }[] = []
  let left = text
  for (;;) {
    const [first, ...rest] = left
    if (first === undefined) return undefined
    if (first === ']') return { accepts: acceptor(members), after: rest }
    const escaped = first === '\\'
    if (escaped && rest.length === 0) return undefined
    members.push({ character: escaped ? (rest[0] as string) : first, escaped })
    left = escaped ? rest.slice(1) : rest
  }
}

function acceptor(all: readonly { character: string; escaped: boolean }[]): (character: string) => boolean {
  const [head] = all
  const negated = head !== undefined && !head.escaped && (head.character === '^' || head.character === '!')
  const members = negated ? all.slice(1) : all
  return (character) => {
    for (let at = 0; at < members.length; at++) {
      const low = members[at] as { character: string; escaped: boolean }
      const dash = members[at + 1]
      const high = members[at + 2]
      if (dash?.character === '-' && !dash.escaped && high !== undefined) {
        const [from, to] = [codeOf(low.character), codeOf(high.character)].sort((a, b) => a - b) as [number, number]
        if (codeOf(character) >= from && codeOf(character) <= to) return !negated
        at += 2
      } else if (low.character === character) {
        return !negated
      }
    }
    return negated
  }
}

const codeOf = (character: string): number => character.codePointAt(0) as number
