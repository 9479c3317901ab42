import { type CallOptions, InfrastructureError, type RefusedRow, type Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, ColumnDescription, ExternalTable } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { sqlTokens } from '../sql-tokens.ts'
import type { Candidates } from './candidates.ts'

/** Constraints that are remembered of one table: those that refused a row last. */
const MOST_EXPRESSIONS = 8
/** Statuses of a question that makes no sense to the server, or that the user may not put. */
const REFUSED_QUESTION: ReadonlySet<number> = new Set([400, 403])
/** Suspects of one question; where there are more, the rest shows itself in the next one. */
const MOST_SUSPECTS = 1000

/** Whom to ask for suspects, and for how many. */
export interface SuspectSearch {
  readonly adapter: ClickHouseAdapter
  readonly table: string
  readonly atMost: number
  readonly call: CallOptions
}

/**
 * The constraints that a table refused rows for. A refusal names the expression of its constraint, so that the server can be asked which of other
 * rows it would refuse by the columns of the expression alone, all of them at once: a hundredth of what it takes to offer it all rows, part by part.
 */
export class KnownConstraints {
  /** The one that refused a row last comes last. */
  readonly #expressions = new Set<string>()
  /** Whether rows were refused of late for something else than a constraint that can be asked for. */
  #hasOthers = false
  /** Whether the server could make nothing of the question. */
  #isFutile = false
  /** The table's columns as they were last; asked for again once rows were refused that were no suspects. */
  #columns: readonly ColumnDescription[] | null = null

  /** Takes the reasons of refused rows in. @param wereSuspects whether these constraints had named them */
  learn(refused: readonly RefusedRow[], wereSuspects: boolean): void {
    if (!wereSuspects) this.#columns = null
    if (refused.length > 0) this.#hasOthers = false
    for (const { reason } of refused) {
      const expression = /^Constraint .* is violated\. Expression: \((.*)\)$/s.exec(reason)?.[1]
      if (expression === undefined) {
        this.#hasOthers = true
        continue
      }
      this.#expressions.delete(expression)
      this.#expressions.add(expression)
    }
    for (const oldest of this.#expressions) if (this.#expressions.size > MOST_EXPRESSIONS) this.#expressions.delete(oldest)
  }

  /** A row was taken that should not have been: the table's constraints are others by now. */
  forget(): void {
    this.#expressions.clear()
    this.#columns = null
  }

  /** Rows that a constraint would refuse by what it said of late, ascending; null when there may be other reasons, or the question can't be put. */
  async suspectsAmong(candidates: Candidates, { adapter, table, atMost, call }: SuspectSearch): Promise<readonly number[] | null> {
    if (this.#hasOthers || this.#isFutile || this.#expressions.size === 0) return null
    try {
      this.#columns ??= await askForColumns(adapter, table, call)
      const sent = candidates.encode(this.#named(this.#columns))
      return sent === null || sent.columns.length === 0 ? null : await this.#ask(adapter, { name: 'suspects', ...sent }, Math.min(atMost, MOST_SUSPECTS), call)
    } catch (error) {
      if (!InfrastructureError.isInstance(error) || !REFUSED_QUESTION.has(error.status)) throw error
      // An expression may need what is not sent, such as a column that the table works out: whoever asks has to try the rows.
      this.#isFutile = true
      return null
    }
  }

  async #ask(adapter: ClickHouseAdapter, external: ExternalTable, atMost: number, call: CallOptions): Promise<readonly number[]> {
    const isRefused = [...this.#expressions].map((expression) => `ifNull((${expression}), 0) = 0`).join(' OR ')
    const query = `SELECT row FROM (SELECT rowNumberInAllBlocks() AS row, ${isRefused} AS refused FROM suspects) WHERE refused ORDER BY row LIMIT ${atMost}`
    const { rows } = await adapter.execute<Row & { row: bigint }>(query, {}, { ...call, external })
    return rows.map(({ row }) => Number(row))
  }

  /** The columns whose names the expressions have. */
  #named(columns: readonly ColumnDescription[]): readonly ColumnDescription[] {
    const names = new Set([...this.#expressions].flatMap((expression) => [...sqlTokens(expression)].map(({ kind, text, value }) => (kind === 'name' ? value : text))))
    return columns.filter(({ name }) => names.has(name))
  }
}

async function askForColumns(adapter: ClickHouseAdapter, table: string, call: CallOptions): Promise<readonly ColumnDescription[]> {
  const [database, name] = splitTableName(table, adapter.database)
  const { rows } = await adapter.execute<Row & { name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {name:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') ORDER BY position",
    { database, name },
    call,
  )
  return rows.map((column) => ({ name: column.name, type: column.type }))
}
