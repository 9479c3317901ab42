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

/** A row that constraints would refuse. */
export interface Suspect {
  readonly index: number
  /** The constraints, as a refusal gives them for its reason. */
  readonly reasons: readonly string[]
}

/** Rows that constraints would refuse, and the definition that their table had when the server was asked. */
export interface Suspects {
  /** Ascending. */
  readonly rows: readonly Suspect[]
  /** A hash of it; null where the user may not see it, or there is no suspect. */
  readonly definition: bigint | null
}

/**
 * The constraints that a table refused rows for. A refusal names the expression of its constraint, so that the server can be asked which of other
 * rows it would refuse by the columns of the expression alone, all of them at once: a hundredth of what it takes to offer it all rows, part by part.
 */
export class KnownConstraints {
  /** The reason of a refusal by each. The one that refused a row last comes last. */
  readonly #reasons = new Map<string, string>()
  /** The definition under which each suspect was refused when it was tried. */
  #provenUnder: bigint | null = null
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
      // What is known of a constraint is proven with the others.
      if (!this.#reasons.has(expression)) this.#provenUnder = null
      this.#reasons.delete(expression)
      this.#reasons.set(expression, reason)
    }
    for (const oldest of this.#reasons.keys()) if (this.#reasons.size > MOST_EXPRESSIONS) this.#reasons.delete(oldest)
  }

  /** Each suspect was refused when it was tried. As long as the table is defined as it was, so would others be. */
  prove({ definition }: Suspects): void {
    this.#provenUnder = definition
  }

  /**
   * The refusals of suspects that need not be tried: the server itself has worked out the very constraints that it checks rows by. Null where these
   * may be others by now, or where more than one is broken, and it is for the server to say which.
   */
  refusalsOf({ rows, definition }: Suspects): readonly RefusedRow[] | null {
    if (definition === null || definition !== this.#provenUnder) return null
    const refused: RefusedRow[] = []
    for (const { index, reasons } of rows) {
      const [reason] = reasons
      if (reason === undefined || reasons.length > 1) return null
      refused.push({ index, reason })
    }
    return refused
  }

  /** A row was taken that should not have been: the table's constraints are others by now. */
  forget(): void {
    this.#reasons.clear()
    this.#provenUnder = null
    this.#columns = null
  }

  /** Rows that a constraint would refuse by what it said of late; null when there may be other reasons, or the question can't be put. */
  async suspectsAmong(candidates: Candidates, { adapter, table, atMost, call }: SuspectSearch): Promise<Suspects | null> {
    if (this.#hasOthers || this.#isFutile || this.#reasons.size === 0) return null
    try {
      this.#columns ??= await askForColumns(adapter, table, call)
      const sent = candidates.encode(this.#named(this.#columns))
      if (sent === null || sent.columns.length === 0) return null
      return await this.#ask({ name: 'suspects', ...sent }, { adapter, table, atMost: Math.min(atMost, MOST_SUSPECTS), call })
    } catch (error) {
      if (!InfrastructureError.isInstance(error) || !REFUSED_QUESTION.has(error.status)) throw error
      // An expression may need what is not sent, such as a column that the table works out: whoever asks has to try the rows.
      this.#isFutile = true
      return null
    }
  }

  async #ask(external: ExternalTable, { adapter, table, atMost, call }: SuspectSearch): Promise<Suspects> {
    const [database, name] = splitTableName(table, adapter.database)
    const known = [...this.#reasons]
    const broken = known.map(([expression]) => `ifNull((${expression}), 0) = 0`).join(', ')
    const { rows } = await adapter.execute<SuspectRow>(
      `SELECT smart_whale_row AS row, smart_whale_broken AS broken, (SELECT sipHash64(create_table_query) FROM system.tables WHERE database = {database:String} AND name = {name:String}) AS definition
       FROM (SELECT rowNumberInAllBlocks() AS smart_whale_row, [${broken}] AS smart_whale_broken FROM suspects) WHERE has(broken, 1) ORDER BY row LIMIT ${atMost}`,
      { database, name },
      { ...call, external },
    )
    const reasonsOf = (flags: readonly number[]): string[] => known.flatMap(([, reason], place) => (flags[place] === 1 ? [reason] : []))
    return { rows: rows.map(({ row, broken: flags }) => ({ index: Number(row), reasons: reasonsOf(flags) })), definition: rows[0]?.definition ?? null }
  }

  /** The columns whose names the expressions have. */
  #named(columns: readonly ColumnDescription[]): readonly ColumnDescription[] {
    const names = new Set([...this.#reasons.keys()].flatMap((expression) => [...sqlTokens(expression)].map(({ kind, text, value }) => (kind === 'name' ? value : text))))
    return columns.filter(({ name }) => names.has(name))
  }
}

interface SuspectRow extends Row {
  readonly row: bigint
  readonly broken: number[]
  readonly definition: bigint | null
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
