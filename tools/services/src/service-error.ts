/** Why a service can't be had. */
export type ServiceErrorCode =
  | 'ERR_SERVICES_MISSING' // the machine lacks something; the message says what would bring it
  | 'ERR_SERVICES_DOWNLOAD'
  | 'ERR_SERVICES_START_FAILED'
  | 'ERR_SERVICES_START_TIMEOUT'
  | 'ERR_SERVICES_PROTOCOL'

/** A service that can't be had, and what would help: a command where there is one. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: ServiceErrorCode
  /** What to do, in a few words. */
  readonly remedy: string

  constructor(message: string, { code, remedy, cause }: { code: ServiceErrorCode; remedy: string; cause?: unknown }) {
    super(`${message}; ${remedy}`, { cause })
    this.code = code
    this.remedy = remedy
  }
}

/** What to tell of any failure, on one line. */
export function describeFailure(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
