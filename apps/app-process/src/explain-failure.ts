import { InfrastructureError } from '@smart-whale/interfaces'

/** What an app says when it ends by an error: one line for what the user can mend, the stack only for what nobody foresaw. */
export function explainFailure(error: unknown): string {
  if (InfrastructureError.isInstance(error)) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
