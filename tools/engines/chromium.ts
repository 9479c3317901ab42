import { findChromium as findProgram } from '../services/src/chromium/find-chromium.ts'
import { describeFailure, ServiceError } from '../services/src/service-error.ts'

/** A browser for tests of pages, or the command that would bring one. */
export type FoundChromium = { readonly path: string } | { readonly path: null; readonly remedy: string }

/** Finds the host's Chromium, or brings Debian's and leaves the host as it is. */
export async function findChromium(): Promise<FoundChromium> {
  try {
    return { path: await findProgram() }
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'ERR_SERVICES_MISSING') return { path: null, remedy: describeFailure(error) }
    throw error
  }
}
