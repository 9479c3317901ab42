import { abortedError, type Clock, hasErrorMark, markError, type MetricsSink, OperationError, silentMetrics, systemClock, TimeoutError } from '@smart-whale/interfaces'
import type { PipelineErrorCode } from '../../errors.ts'
import type { PipelineProgress } from '../pipeline-progress.ts'
import { decodeFreshnessToken, type FreshnessTarget } from './freshness-token.ts'

/** How {@link createFreshness} looks for what is stored. */
export interface FreshnessOptions {
  /** Where the partitions of pipelines stand. @default none, required */
  progress: PipelineProgress
  /** How long a wait may take, in milliseconds, where it isn't told. @default 10000 */
  timeoutMs?: number | undefined
  /** How often the progress is asked for at most while somebody waits, in milliseconds. @default 50 */
  pollMs?: number | undefined
  /** How many may wait at a time; one more is refused. @default 1000 */
  maxWaiting?: number | undefined
  /** Where waits are measured. @default silent */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** How far the stores are, for one token. */
export interface FreshnessReport {
  /** Whether every store of the pipeline has all of the token's records, or the dead letters have. */
  readonly stored: boolean
  /** Partitions that are not there yet: the offset that is wanted, and the first that is not done. */
  readonly behind: readonly { readonly partition: number; readonly wanted: bigint; readonly nextOffset: bigint | null }[]
}

/** How one wait ends early. */
export interface FreshnessWaitOptions {
  /** How long it may take, in milliseconds. @default the instance's */
  timeoutMs?: number | undefined
  /** Gives it up; it then rejects with `ERR_ABORTED`. @default undefined */
  signal?: AbortSignal | undefined
}

/** Tells when the records of a token can be queried. */
export interface Freshness {
  /** How far the stores are. @throws ValidationError `ERR_MESSAGING_FRESHNESS_TOKEN` */
  check(token: string, options?: { signal?: AbortSignal | undefined }): Promise<FreshnessReport>
  /**
   * Resolves when every store of the pipeline has the records that a token stands for.
   * @throws ValidationError `ERR_MESSAGING_FRESHNESS_TOKEN`; NotFreshError `ERR_MESSAGING_NOT_FRESH` when the time is up
   */
  waitUntilStored(token: string, options?: FreshnessWaitOptions): Promise<{ readonly waitedMs: number }>
  /** Something was stored: whoever waits looks at once. Where nobody calls it, they look every `pollMs`. */
  notify(): void
}

/** What was asked for was not stored in time; it may be any moment. */
export class NotFreshError extends TimeoutError<PipelineErrorCode> {
  override readonly name: string = 'NotFreshError'
  /** How far the stores were when the time was up. */
  readonly report: FreshnessReport

  constructor(report: FreshnessReport, timeoutMs: number) {
    const behind = report.behind.map(({ partition, wanted, nextOffset }) => `partition ${partition} is at ${nextOffset ?? 'nothing'}, wanted is ${wanted}`)
    super(`not stored within ${timeoutMs} ms: ${behind.join('; ')}; wait longer, or see why the pipeline lags`, { code: 'ERR_MESSAGING_NOT_FRESH', context: { timeoutMs }, retryable: true })
    this.report = report
    markError(this, 'NotFreshError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is NotFreshError {
    return hasErrorMark(value, 'NotFreshError')
  }
}

/** Makes what queries wait with. It keeps no connection and no timer of its own while nobody waits. */
export function createFreshness(options: FreshnessOptions): Freshness {
  return new PolledFreshness(options)
}

class PolledFreshness implements Freshness {
  readonly #progress: PipelineProgress
  readonly #options: { readonly timeoutMs: number; readonly pollMs: number; readonly maxWaiting: number; readonly clock: Clock }
  readonly #waited: ReturnType<MetricsSink['histogram']>
  /** Questions under way, shared by all who wait for the same partition. */
  readonly #asked = new Map<string, Promise<bigint | null>>()
  readonly #wakers = new Set<() => void>()
  #waiting = 0

  constructor({ progress, timeoutMs = 10_000, pollMs = 50, maxWaiting = 1_000, metrics = silentMetrics, clock = systemClock }: FreshnessOptions) {
    this.#progress = progress
    this.#options = { timeoutMs, pollMs, maxWaiting, clock }
    this.#waited = metrics.histogram({ name: 'smart_whale_freshness_wait_seconds', help: 'How long queries waited for what they wanted to see', labelNames: ['pipeline', 'outcome'] })
  }

  async check(token: string, options: { signal?: AbortSignal | undefined } = {}): Promise<FreshnessReport> {
    return this.#look(decodeFreshnessToken(token), options.signal)
  }

  async waitUntilStored(token: string, { timeoutMs = this.#options.timeoutMs, signal }: FreshnessWaitOptions = {}): Promise<{ waitedMs: number }> {
    const target = decodeFreshnessToken(token)
    if (this.#waiting >= this.#options.maxWaiting) throw tooManyWait(this.#options.maxWaiting)
    const { clock } = this.#options
    const begin = clock.monotonic()
    let outcome = 'failed'
    this.#waiting++
    try {
      await this.#waitFor(target, begin + timeoutMs, timeoutMs, signal)
      outcome = 'stored'
      return { waitedMs: clock.monotonic() - begin }
    } catch (error) {
      if (NotFreshError.isInstance(error)) outcome = 'timeout'
      throw error
    } finally {
      this.#waiting--
      this.#waited.observe({ pipeline: outcome === 'stored' ? target.pipeline : '', outcome }, (clock.monotonic() - begin) / 1000)
    }
  }

  notify(): void {
    for (const wake of this.#wakers) wake()
  }

  async #waitFor(target: FreshnessTarget, deadline: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, pollMs } = this.#options
    for (let pause = Math.min(pollMs, 10); ; pause = Math.min(pollMs, pause * 2)) {
      if (signal?.aborted === true) throw abortedError('waiting for fresh data', signal)
      const report = await this.#look(target, signal)
      if (report.stored) return
      const left = deadline - clock.monotonic()
      if (left <= 0) throw new NotFreshError(report, timeoutMs)
      await this.#pause(Math.min(pause, left), signal)
    }
  }

  /** Ends early when something was stored, or when nobody wants to know any more. */
  #pause(pauseMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#options
    return new Promise((resolve) => {
      const end = (): void => {
        clock.clearTimeout(timer)
        this.#wakers.delete(end)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = clock.setTimeout(end, pauseMs)
      this.#wakers.add(end)
      signal?.addEventListener('abort', end, { once: true })
    })
  }

  async #look(target: FreshnessTarget, signal: AbortSignal | undefined): Promise<FreshnessReport> {
    const looked = await Promise.all([...target.offsets].map(async ([partition, wanted]) => ({ partition, wanted, nextOffset: await this.#nextOffset(target, partition) })))
    if (signal?.aborted === true) throw abortedError('waiting for fresh data', signal)
    const behind = looked.filter(({ wanted, nextOffset }) => nextOffset === null || nextOffset <= wanted)
    return { stored: behind.length === 0, behind }
  }

  /** Asked once for all who ask at the same time; the one who leaves doesn't end it for the others. */
  #nextOffset({ pipeline, topic, topicId }: FreshnessTarget, partition: number): Promise<bigint | null> {
    const key = JSON.stringify([pipeline, topicId, partition])
    const asked = this.#asked.get(key)
    if (asked !== undefined) return asked
    const asking = this.#progress.inspect({ pipeline, topic, topicId, partition }).then((state) => state?.nextOffset ?? null)
    this.#asked.set(key, asking)
    const forget = (): void => void this.#asked.delete(key)
    asking.then(forget, forget)
    return asking
  }
}

function tooManyWait(maxWaiting: number): OperationError<PipelineErrorCode> {
  return new OperationError<PipelineErrorCode>(`${maxWaiting} queries wait for fresh data already; try again, or ask without waiting`, { code: 'ERR_MESSAGING_TOO_MANY_WAIT', retryable: true, status: 503 })
}
