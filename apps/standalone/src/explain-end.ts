import { explainFailure } from '@smart-whale/app-process'

/** What the standalone says when it ends by an error. */
export function explainEnd(error: unknown): string {
  return `smart-whale: ${explainFailure(error)}\n`
}
