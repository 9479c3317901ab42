import type { Environment } from './read-environment.ts'

/** A variable that is set and that nobody reads, though it looks like one that is read. */
export interface MisspeltVariable {
  readonly name: string
  readonly meant: string
}

/** What people call them elsewhere. */
export type OtherNames = Readonly<Record<string, string>>

/**
 * Which variables of the environment were probably meant to be ones that are known: those that begin as known ones do and differ from
 * one by a letter or two. Never what they hold.
 *
 * @param known names that are read
 * @param elsewhere names that other programs have for the same
 */
export function misspelt(environment: Environment, known: readonly string[], elsewhere: OtherNames = {}): readonly MisspeltVariable[] {
  const names = new Set(known)
  const beginnings = new Set(known.map(beginningOf))
  const isSet = (name: string): boolean => (environment[name] ?? '') !== ''
  const meantBy = (name: string): string | undefined => {
    const other = elsewhere[name]
    // It may be meant for another program, unless ours is missing.
    if (other !== undefined) return isSet(other) ? undefined : other
    return beginnings.has(beginningOf(name)) ? nearest(name, known) : undefined
  }
  return Object.keys(environment)
    .filter((name) => isSet(name) && !names.has(name))
    .flatMap((name): MisspeltVariable[] => {
      const meant = meantBy(name)
      return meant === undefined ? [] : [{ name, meant }]
    })
    .sort((left, right) => left.name.localeCompare(right.name))
}

/** `KAFKA` of `KAFKA_BROKERS`; a letter may be wrong in it too, so a plural is none. */
function beginningOf(name: string): string {
  return (name.split('_')[0] ?? '').replace(/S$/, '')
}

const MOST_LETTERS = 2

/** The name that differs by a letter or two at most; undefined when none does. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, letters: lettersBetween(name.toUpperCase(), candidate.toUpperCase()) }))
    .filter(({ letters }) => letters <= MOST_LETTERS)
    .sort((left, right) => left.letters - right.letters)
  return best?.candidate
}

/** Letters to change, add, leave out or swap with their neighbour to make one of the other. */
function lettersBetween(left: string, right: string): number {
  let [twoBack, before]: [number[], number[]] = [[], Array.from({ length: right.length + 1 }, (_, index) => index)]
  for (let row = 1; row <= left.length; row++) {
    const now = [row]
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1]
      let letters = Math.min((before[column] as number) + 1, (now[column - 1] as number) + 1, (before[column - 1] as number) + (isSame ? 0 : 1))
      const isSwap = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (isSwap) letters = Math.min(letters, (twoBack[column - 2] as number) + 1)
      now.push(letters)
    }
    twoBack = before
    before = now
  }
  return before[right.length] as number
}
