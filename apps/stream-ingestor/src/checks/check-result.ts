import { InfrastructureError } from '@smart-whale/interfaces'

/** What one check found: `warning` weakens a promise or will be mended at the start, `wrong` keeps the ingestor from running as declared. */
export interface CheckResult {
  readonly about: string
  readonly level: 'good' | 'warning' | 'wrong'
  readonly detail: string
}

/** Something that is as it should be. */
export const good = (about: string, detail: string): CheckResult => ({ about, level: 'good', detail })
/** Something to know of. */
export const warning = (about: string, detail: string): CheckResult => ({ about, level: 'warning', detail })
/** Something that has to be changed. */
export const wrong = (about: string, detail: string): CheckResult => ({ about, level: 'wrong', detail })

/** Runs checks of something that may be away; what it fails with is the finding. */
export async function orAway(about: string, look: () => Promise<readonly CheckResult[]>): Promise<readonly CheckResult[]> {
  try {
    return await look()
  } catch (error) {
    if (!InfrastructureError.isInstance(error)) throw error
    return [wrong(about, error.message)]
  }
}
