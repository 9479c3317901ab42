import type { ClickHouseAdapter } from '@smart-whale/clickhouse'

/** Rows of a batch. */
const BATCH_ROWS = 10

/** Batches under tokens, at a steady rate, each sent again until it is acknowledged: now by one adapter, now by the other, which know nothing of each other. */
export class SteadyInserts {
  readonly #adapters: readonly ClickHouseAdapter[]
  readonly #table: string
  readonly #underWay = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #begun = 0
  #repeats = 0
  #isStopping = false

  constructor(adapters: readonly ClickHouseAdapter[], table: string, perSecond: number) {
    this.#adapters = adapters
    this.#table = table
    this.#timer = setInterval(() => this.#begin(), 1000 / perSecond)
  }

  /** Rows that were sent; all of them are acknowledged after `stop`. */
  get rows(): number {
    return this.#begun * BATCH_ROWS
  }

  /** Batches that were sent again. */
  get repeats(): number {
    return this.#repeats
  }

  /** Begins no more, and waits until those under way are acknowledged. @throws RangeError when they are not within the deadline */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#timer)
    const timer = setTimeout(() => (this.#isStopping = true), deadlineMs)
    await Promise.all(this.#underWay)
    clearTimeout(timer)
  }

  #begin(): void {
    const batch = this.#begun++
    const storing: Promise<void> = this.#store(batch).finally(() => this.#underWay.delete(storing))
    this.#underWay.add(storing)
  }

  async #store(batch: number): Promise<void> {
    const rows = Array.from({ length: BATCH_ROWS }, (_, index) => ({ id: BigInt(batch * BATCH_ROWS + index) }))
    for (let attempt = 0; ; attempt++) {
      const adapter = this.#adapters[(batch + attempt) % this.#adapters.length] as ClickHouseAdapter
      const failure: unknown = await adapter.insert(this.#table, rows, { token: `batch ${batch}` }).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (failure === undefined) return
      if (this.#isStopping) throw new RangeError(`batch ${batch} is not acknowledged: ${String(failure)}`)
      this.#repeats++
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
