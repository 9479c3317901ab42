/** `degraded` still serves, with something missing. */
export type HealthStatus = 'up' | 'degraded' | 'down'

/** What one probe found. */
export interface HealthResult {
  readonly status: HealthStatus
  /** One sentence for the operator; no secret, no address with a password. */
  readonly detail?: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** Answers whether one dependency works. Must not throw for "down"; a throw counts as `down`. */
export interface HealthProbe {
  readonly name: string
  /** Whether readiness fails when this probe is down. @default true */
  readonly critical?: boolean
  check(context: { signal: AbortSignal }): Promise<HealthResult>
}
