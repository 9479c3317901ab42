import {
  type HealthProbe,
  type HealthResult,
  type HealthStatus,
  InfrastructureError,
  type Logger,
  OperationError,
  TimeoutError,
} from '@smart-whale/interfaces'
import type { HealthOptions } from './options.ts'

/** What is known of one dependency. */
export interface DependencyReport extends HealthResult {
  readonly name: string
  /** Whether the service is not ready while this is down. */
  readonly critical: boolean
  /** How long the probe took, in milliseconds. */
  readonly durationMs: number
  /** When it was asked, ISO 8601. */
  readonly checkedAt: string
}

/** Asks one probe, at most once at a time and not more often than its result is cached. */
export interface ProbeRunner {
  readonly critical: boolean
  check(): Promise<DependencyReport>
  /** Ends what runs; further checks report `down`. */
  close(): void
}

/** What all probes of a service have in common. */
type ProbeRules = Required<Pick<HealthOptions, 'timeoutMs' | 'cacheMs' | 'clock' | 'logger'>>

/** A probe that ignores its signal hangs on after its deadline; beyond so many it isn't asked again until one lets go. */
const MAX_HANGING = 3
const STATUSES: readonly HealthStatus[] = ['up', 'degraded', 'down']

/** Makes the runner of one probe: with a deadline, a cache, and a line in the log whenever the status changes. */
export function createProbeRunner(probe: HealthProbe, rules: ProbeRules): ProbeRunner {
  const { timeoutMs, cacheMs, clock, logger } = rules
  const { name, critical = true } = probe
  const closing = new AbortController()
  let running: Promise<DependencyReport> | undefined
  let last: { readonly report: DependencyReport; readonly freshUntil: number } | undefined
  let unanswered = 0

  async function ask(): Promise<HealthResult> {
    if (closing.signal.aborted) return down('health checks are closed')
    if (unanswered >= MAX_HANGING) return down(`${unanswered} earlier probes still hang`)
    const deadline = new AbortController()
    const ended = new Promise<HealthResult>((resolve) => {
      deadline.signal.addEventListener('abort', () => resolve(down((deadline.signal.reason as Error).message)), { once: true })
    })
    const timer = clock.setTimeout(() => deadline.abort(new TimeoutError(`no answer within ${timeoutMs} ms`)), timeoutMs)
    const onClose = (): void => deadline.abort(new OperationError('health checks are closed', { code: 'ERR_ABORTED' }))
    closing.signal.addEventListener('abort', onClose, { once: true })

    unanswered += 1
    const answer = settle(probe, deadline.signal, logger).finally(() => (unanswered -= 1))
    try {
      return await Promise.race([answer, ended])
    } finally {
      clock.clearTimeout(timer)
      closing.signal.removeEventListener('abort', onClose)
    }
  }

  async function run(): Promise<DependencyReport> {
    const checkedAt = new Date(clock.now()).toISOString()
    const started = clock.monotonic()
    const result = await ask()
    const report = { name, critical, ...result, durationMs: Math.round(clock.monotonic() - started), checkedAt }
    sayChange(logger, last?.report.status ?? 'up', report)
    last = { report, freshUntil: clock.monotonic() + cacheMs }
    return report
  }

  return {
    critical,
    async check() {
      if (last !== undefined && clock.monotonic() < last.freshUntil) return last.report
      running ??= run().finally(() => (running = undefined))
      return running
    },
    close: () => closing.abort(),
  }
}

/** The probe's answer; a probe that throws, or answers nonsense, is down. Never rejects. */
async function settle(probe: HealthProbe, signal: AbortSignal, logger: Logger): Promise<HealthResult> {
  try {
    const { status, detail, data } = await probe.check({ signal })
    if (!STATUSES.includes(status)) return down(`the probe answered no status but ${JSON.stringify(status) ?? 'nothing'}`)
    return { status, ...(detail === undefined ? {} : { detail: String(detail) }), ...(data === undefined ? {} : { data }) }
  } catch (error) {
    logger.debug({ err: error, dependency: probe.name }, 'a health probe failed')
    // Messages of our errors hold no secrets; those of others may (an address with its password), so only their kind is told.
    return down(InfrastructureError.isInstance(error) ? error.message : `the probe failed with ${error instanceof Error ? error.name : typeof error}`)
  }
}

function down(detail: string): HealthResult {
  return { status: 'down', detail }
}

function sayChange(logger: Logger, before: HealthStatus, { name, critical, status, detail }: DependencyReport): void {
  if (status === before) return
  const fields = { dependency: name, critical, status, ...(detail === undefined ? {} : { detail }) }
  if (status === 'up') logger.info(fields, 'a dependency is up again')
  else logger.warn(fields, status === 'down' ? 'a dependency is down' : 'a dependency is degraded')
}
