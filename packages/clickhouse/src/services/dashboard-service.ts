import { type CallOptions, InfrastructureError, type Logger, silentLogger, toWire } from '@smart-whale/interfaces'

/** What one part of a dashboard shows, asked for anew each time. */
export type DashboardPart = (options: CallOptions) => Promise<unknown>

/** What a {@link DashboardService} is made from. */
export interface DashboardOptions {
  /** How long a part may take, in milliseconds; one that takes longer is shown as failed. @default 5000 */
  timeoutMs?: number | undefined
  /** Hears of parts that failed. @default silentLogger */
  logger?: Logger | undefined
}

/** Everything that a dashboard shows, as JSON has it. */
export interface DashboardSummary {
  /** `success`: all of it is there. `partial`: some parts failed and are null; `failed` names them. `error`: none is there. */
  readonly status: 'success' | 'partial' | 'error'
  readonly data: Readonly<Record<string, unknown>>
  /** Part by code of its error. */
  readonly failed?: Readonly<Record<string, string>>
}

/** Gathers the parts of a dashboard at once: what `GET /dashboard/summary` answers. One that fails doesn't take the others along. */
export class DashboardService {
  readonly #parts: Readonly<Record<string, DashboardPart>>
  readonly #timeoutMs: number
  readonly #logger: Logger

  constructor(parts: Readonly<Record<string, DashboardPart>>, { timeoutMs = 5000, logger = silentLogger }: DashboardOptions = {}) {
    this.#parts = parts
    this.#timeoutMs = timeoutMs
    this.#logger = logger
  }

  /** Asks every part. Never throws for one that fails. */
  async getSummary(options: CallOptions = {}): Promise<DashboardSummary> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs
    const names = Object.keys(this.#parts)
    const outcomes = await Promise.allSettled(names.map(async (name) => this.#parts[name]?.({ ...options, timeoutMs })))
    const data: Record<string, unknown> = {}
    const failed: Record<string, string> = {}
    for (const [index, outcome] of outcomes.entries()) {
      const name = names[index] ?? ''
      data[name] = outcome.status === 'fulfilled' ? toWire(outcome.value) : null
      if (outcome.status === 'fulfilled') continue
      failed[name] = InfrastructureError.isInstance(outcome.reason) ? outcome.reason.code : 'ERR_UNKNOWN'
      this.#logger.warn({ err: outcome.reason, part: name }, 'a part of the dashboard could not be shown')
    }
    const failures = Object.keys(failed).length
    if (failures === 0) return { status: 'success', data }
    return { status: failures === names.length ? 'error' : 'partial', data, failed }
  }
}
