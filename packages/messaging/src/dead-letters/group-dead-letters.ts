import type { RecordPosition } from '../transport.ts'
import type { DeadLetter } from './read-dead-letters.ts'
import type { FateOf } from './read-fates.ts'

/** Dead letters that died of the same thing. */
export interface DeadLetterGroup {
  readonly code: string
  /** The reason's sentence with its numbers taken out: what the letters have in common. */
  readonly pattern: string
  readonly schemaVersion: string | null
  readonly count: number
  /** Of them, those that were sent again. */
  readonly replayed: number
  /** Of them, those that were given up. */
  readonly dropped: number
  /** Milliseconds since the epoch. */
  readonly firstAt: number
  /** Milliseconds since the epoch. */
  readonly lastAt: number
  /** A few of them to look at: the first that are open. */
  readonly examples: readonly RecordPosition[]
}

const EXAMPLES = 3
const MAX_GROUPS = 1000
const OTHERS = { code: 'others', pattern: 'more kinds than are told apart', schemaVersion: null }

/**
 * Groups dead letters by what went wrong and by schema version, the largest group first. Memory is bounded: the thousandth kind and all after it are one.
 *
 * @param fateOf what became of each; see `readFates`. Without it none is known to be settled
 */
export async function groupDeadLetters(letters: AsyncIterable<DeadLetter> | Iterable<DeadLetter>, fateOf: FateOf = () => null): Promise<DeadLetterGroup[]> {
  const groups = new Map<string, MutableGroup>()
  for await (const letter of letters) add(groups, letter, fateOf)
  return [...groups.values()].sort((left, right) => right.count - left.count)
}

type MutableGroup = { -readonly [Key in keyof DeadLetterGroup]: DeadLetterGroup[Key] } & { examples: RecordPosition[] }

function add(groups: Map<string, MutableGroup>, letter: DeadLetter, fateOf: FateOf): void {
  let kind: Pick<DeadLetterGroup, 'code' | 'pattern' | 'schemaVersion'> = { code: letter.reason.code, pattern: patternOf(letter.reason.message), schemaVersion: letter.schemaVersion }
  let key = JSON.stringify([kind.code, kind.pattern, kind.schemaVersion])
  if (!groups.has(key) && groups.size >= MAX_GROUPS) {
    kind = OTHERS
    key = ''
  }
  const group = groups.get(key) ?? { ...kind, count: 0, replayed: 0, dropped: 0, firstAt: letter.timestamp, lastAt: letter.timestamp, examples: [] }
  group.count++
  group.firstAt = Math.min(group.firstAt, letter.timestamp)
  group.lastAt = Math.max(group.lastAt, letter.timestamp)
  const state = fateOf(letter.position)?.state
  if (state !== undefined) group[state]++
  else if (group.examples.length < EXAMPLES) group.examples.push(letter.position)
  groups.set(key, group)
}

/** Field names stay, they stand in double quotes and say what is wrong; digits outside of them differ from letter to letter. */
function patternOf(message: string): string {
  return message.replace(/"[^"]*"|\d+/g, (found) => (found.startsWith('"') ? found : '#')).slice(0, 300)
}
