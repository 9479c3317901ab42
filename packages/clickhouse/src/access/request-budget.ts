import type { QueryEstimate } from '../adapter-options.ts'
import { BudgetExceededError } from './access-errors.ts'

/** What several queries may be estimated to read together. */
export interface EstimateBudget {
  /**
   * Counts a query that is about to run.
   * @param tell whether the caller may know the estimate: by the index, it counts rows of all tenants
   * @throws BudgetExceededError `ERR_CLICKHOUSE_BUDGET`, and counts nothing, when it no longer fits
   */
  charge(estimate: QueryEstimate, tell: boolean): void
}

/** What the queries of one request may be estimated to read together: those that fit run, one that no longer does is refused before it runs. */
export class RequestBudget implements EstimateBudget {
  readonly #maxRows: number
  #rows = 0

  constructor(maxEstimatedRows: number) {
    this.#maxRows = maxEstimatedRows
  }

  charge({ rows }: QueryEstimate, tell: boolean): void {
    const together = this.#rows + rows
    if (together <= this.#maxRows) {
      this.#rows = together
      return
    }
    const amount = !tell ? 'more rows than they may' : rows === together ? `${rows} rows` : `${together} rows, ${rows} of them by this query`
    throw new BudgetExceededError(`the request's queries would read ${amount}; at most ${this.#maxRows} rows are allowed together: ask for less at once`, {
      kind: 'rows',
      allowed: this.#maxRows,
      estimated: tell ? together : undefined,
    })
  }
}
