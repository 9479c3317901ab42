import { ValidationError } from './errors.ts'

/** One step of a compiled pattern: any run of characters, or one character that passes a test. */
type Step = 'any-run' | ((character: string) => boolean)

/**
 * Whether a key matches a glob, as a function to be used for many keys. Every cache matches with this one, so that a
 * pattern means the same everywhere: `*` any run of characters, also an empty one; `?` one character; `[ab]` one of them,
 * `[a-z]` a range, `[^ab]` or `[!ab]` none of them; `\` takes the next character as it is. A `[` that is never closed and a
 * `\` at the end stand for themselves. A character is a Unicode code point. The time is bounded by key × pattern.
 *
 * @throws ValidationError when the pattern is no string
 */
export function compileGlob(pattern: string): (key: string) => boolean {
  if (typeof pattern !== 'string') {
    throw new ValidationError(`a pattern must be a string, got ${typeof pattern}`, { issues: [{ path: ['pattern'], message: 'must be a string' }] })
  }
  const steps = parse([...pattern])
  return (key) => matches([...key], steps)
}

function parse(characters: readonly string[]): Step[] {
  const steps: Step[] = []
  let at = 0
  while (at < characters.length) {
    const character = characters[at] as string
    const closing = character === '[' ? endOfClass(characters, at) : -1
    if (character === '*') {
      if (steps.at(-1) !== 'any-run') steps.push('any-run')
    } else if (character === '?') {
      steps.push(() => true)
    } else if (closing > 0) {
      steps.push(parseClass(characters.slice(at + 1, closing)))
      at = closing
    } else {
      if (character === '\\' && at + 1 < characters.length) at += 1
      const literal = characters[at]
      steps.push((found) => found === literal)
    }
    at += 1
  }
  return steps
}

/** Where the class that begins at `start` is closed; −1 when it isn't. */
function endOfClass(characters: readonly string[], start: number): number {
  for (let at = start + 1; at < characters.length; at++) {
    if (characters[at] === '\\') at += 1
    else if (characters[at] === ']') return at
  }
  return -1
}

function parseClass(inside: readonly string[]): Step {
  const negated = inside[0] === '^' || inside[0] === '!'
  const ranges: [number, number][] = []
  let at = negated ? 1 : 0
  const take = (): number => {
    if (inside[at] === '\\' && at + 1 < inside.length) at += 1
    return (inside[at++] as string).codePointAt(0) as number
  }
  while (at < inside.length) {
    const first = take()
    const isRange = inside[at] === '-' && at + 1 < inside.length
    if (isRange) at += 1
    const last = isRange ? take() : first
    ranges.push(first <= last ? [first, last] : [last, first])
  }
  return (character) => {
    const code = character.codePointAt(0) as number
    return ranges.some(([first, last]) => code >= first && code <= last) !== negated
  }
}

/** Goes back to the latest run only, which is enough: an earlier one could match nothing that the latest can't. */
function matches(key: readonly string[], steps: readonly Step[]): boolean {
  let keyAt = 0
  let stepAt = 0
  let latestRun = -1
  let runEnd = 0
  while (keyAt < key.length) {
    const step = steps[stepAt]
    if (step === 'any-run') {
      latestRun = stepAt++
      runEnd = keyAt
    } else if (step?.(key[keyAt] as string)) {
      keyAt += 1
      stepAt += 1
    } else if (latestRun >= 0) {
      stepAt = latestRun + 1
      keyAt = ++runEnd
    } else {
      return false
    }
  }
  while (steps[stepAt] === 'any-run') stepAt += 1
  return stepAt === steps.length
}
