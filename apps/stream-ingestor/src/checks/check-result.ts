import { EXIT, exitCodeOf } from '@smart-whale/app-process'
import { InfrastructureError, TimeoutError } from '@smart-whale/interfaces'
import { OWN_EXIT_CODES } from '../exit-codes.ts'

/**
 * What one check found: a `warning` weakens a promise or will be mended at the start, `wrong` keeps the ingestor from running as declared,
 * `failed` could not be looked at.
 */
export interface CheckResult {
  readonly about: string
  readonly level: 'good' | 'warning' | 'wrong' | 'failed'
  readonly detail: string
  /** Of the error by which it failed; null where there was none. */
  readonly code: string | null
  /** How a program ends that meets only this. */
  readonly exit: number
}

/** Something that is as it should be. */
export const good = (about: string, detail: string): CheckResult => ({ about, level: 'good', detail, code: null, exit: EXIT.ok })
/** Something to know of. */
export const warning = (about: string, detail: string): CheckResult => ({ about, level: 'warning', detail, code: null, exit: EXIT.ok })
/** Something that has to be changed. */
export const wrong = (about: string, detail: string): CheckResult => ({ about, level: 'wrong', detail, code: null, exit: EXIT.found })

/** Runs checks of something that may be away; what it fails with is the finding. */
export async function orAway(about: string, look: () => Promise<readonly CheckResult[]>): Promise<readonly CheckResult[]> {
  try {
    return await look()
  } catch (error) {
    if (!InfrastructureError.isInstance(error)) throw error
    const exit = exitCodeOf(error, OWN_EXIT_CODES)
    const { code, message } = error
    const detail = TimeoutError.isInstance(error) ? `does not answer in time: look whether it runs, is overloaded, or can be reached at all (${message})` : message
    return [{ about, level: exit === EXIT.found ? 'wrong' : 'failed', detail, code, exit }]
  }
}

/** How `check` ends: first what was given wrong, then what could not be looked at, then what is not as it should be. */
export function exitCodeOfAll(results: readonly CheckResult[], isStrict: boolean): number {
  const codes = new Set(results.map(({ exit }) => exit))
  const first = [EXIT.usage, EXIT.failed, EXIT.found].find((code) => codes.has(code))
  if (first !== undefined) return first
  return isStrict && results.some(({ level }) => level === 'warning') ? EXIT.found : EXIT.ok
}
