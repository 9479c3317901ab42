import type { Slice, WriteTurn } from '@smart-whale/interfaces'
import type { ProcessLife } from './process-life.ts'

/**
 * What an event of the model is: good, so old that ClickHouse removes its row at once, not decodable, refused by one store for its data, or refused by one
 * of the two definitions that there may be.
 */
export type EventKind = 'good' | 'old' | 'undecodable' | 'refused-by-definition' | 'refused-by-clickhouse' | 'refused-by-timescaledb'

/** What happens at one step of one process. */
export type Fate =
  | 'works'
  /** Nothing happens, or it happens and the answer is lost. */
  | 'fails-before'
  | 'fails-after'
  /** The request is held up somewhere: it is given up here, and arrives after all. */
  | 'arrives-late'
  /** The process is suspended (SIGSTOP), another one takes over, and it goes on as if nothing had been. */
  | 'pauses-before'
  | 'pauses-after'
  | 'dies-before'
  | 'dies-after'
  /** The server is killed at whatever it is doing; PostgreSQL's replica may take over then, without the latest commits. */
  | 'server-fails'
  /** That replica takes over while somebody else is at work. */
  | 'replica-takes-over'

/** A fate, and for how many steps of anybody a pause or a delay lasts. */
export interface PlannedFate {
  readonly fate: Fate
  readonly delay: number
}

/** What PostgreSQL holds: rows and ledger, changed by one commit. */
export interface PostgresState {
  readonly rows: readonly bigint[]
  readonly nextOffset: bigint
  readonly inFlight: Slice | null
  readonly epoch: bigint
  readonly owner: string
  /** Whose the table is. @default the model's first pipeline */
  readonly pipeline?: string
}

/** An insert that passed the check of its turn and has not ended. */
export interface RunningInsert {
  readonly turn: WriteTurn
  readonly store: () => void
}

/** The lock of the ledger's row. */
export interface LedgerLock {
  readonly life: ProcessLife
  /** What the server still has to do for it, where the request is held up. */
  commitLater: (() => void) | null
}

/** A letter of the model's dead letters. */
export interface DeadLetterEntry {
  readonly offset: bigint
  readonly headers: Readonly<Record<string, Uint8Array>>
}

/** The outside world: what survives the death of a process. */
export class World {
  readonly kinds: readonly EventKind[]
  readonly clickhouse: bigint[] = []
  readonly view: bigint[] = []
  /** Tokens that ClickHouse remembers, oldest first; bounded, as its deduplication window is. */
  readonly tokens: string[] = []
  readonly viewTokens: string[] = []
  turn: WriteTurn | null = null
  running: RunningInsert[] = []
  /** Null until the first claim. */
  postgres: PostgresState | null = null
  /** The pipeline that has PostgreSQL's table, where no entry says so. */
  claimed: string | null = null
  /** To whom each pipeline's progress with ClickHouse's table was given, where PostgreSQL keeps that alone. */
  given: ReadonlyMap<string, string> = new Map()
  /** What became of a claim that gave a pipeline an entry beside another one's, for the same table. */
  readonly forks: string[] = []
  /** What a replica that takes over may stand at. */
  readonly history: Pick<World, 'postgres' | 'given'>[] = []
  /** What each pipeline's group has committed, and which life has the partition there. */
  readonly groups = new Map<string, { readonly offset: bigint; readonly metadata: string }>()
  readonly members = new Map<string, number>()
  groupCommits = 0
  /** As the pipeline is called now; it begins as `model`. */
  pipeline = 'model'
  /** The pipeline that has ClickHouse's table, and how often that was given to one. */
  holder: string | null = null
  timesGiven = 0
  idleReads = 0
  /** Of the latest life. */
  generation = 0
  /** Who holds the lock of the ledger's row: a transaction that marked its slice done and has not ended. */
  lock: LedgerLock | null = null
  readonly deadLetters: DeadLetterEntry[] = []
  /** How often somebody waited for letters in a transaction that nobody else ended. */
  endedByBroker = 0
  /** Which definition the rows in each store were made by, by offset. */
  readonly madeBy = { clickhouse: new Map<bigint, string>(), timescaledb: new Map<bigint, string>() }
  /** The ledger has lost commits: views are not mended. */
  hasLostCommits = false
  /** Some of them while an owner was suspended, or had been and was still at work: he may go on where no ledger knows of his successor. */
  hasLostSuspendedOnes = false
  /** Processes that were suspended once and have not ended. */
  outlasted = 0
  /** Views are filled by what the ledger knows of tokens: one that loses commits is not promised to keep them. */
  readonly mayLoseCommits: boolean
  readonly #plan: PlannedFate[]
  readonly #window: number
  readonly #later: { at: number; run: () => void }[] = []
  #now = 0
  #isOver = false

  constructor(kinds: readonly EventKind[], plan: readonly PlannedFate[], { window, mayLoseCommits }: { window: number; mayLoseCommits: boolean }) {
    this.kinds = kinds
    this.mayLoseCommits = mayLoseCommits
    this.#plan = [...plan]
    this.#window = window
  }

  /** Of the pipeline as it is called now. */
  get group(): { readonly offset: bigint; readonly metadata: string } | null {
    return this.groups.get(this.pipeline) ?? null
  }

  set group(committed: { readonly offset: bigint; readonly metadata: string } | null) {
    if (committed === null) this.groups.delete(this.pipeline)
    else this.groups.set(this.pipeline, committed)
  }

  nextFate(): PlannedFate {
    this.#now++
    for (const entry of this.#later.filter(({ at }) => at <= this.#now)) this.#runNow(entry)
    const planned = this.#plan.shift() ?? { fate: 'works', delay: 0 }
    if (planned.fate === 'replica-takes-over') this.loseCommits(planned.delay % 4)
    return planned
  }

  later(delay: number, run: () => void): void {
    if (this.#isOver) run()
    else this.#later.push({ at: this.#now + delay, run })
  }

  /** Whoever was suspended goes on, and what was held up arrives. */
  releaseAll(): void {
    this.#isOver = true
    for (const entry of [...this.#later]) this.#runNow(entry)
  }

  /** From now on everything works. */
  calmDown(): void {
    this.#plan.length = 0
  }

  /** An insert as a whole. */
  insert(token: string, offsets: readonly bigint[], definition: string): void {
    if (remember(this.tokens, token, this.#window)) this.store(offsets, definition)
    this.fillView(token, offsets)
  }

  /** The part of an insert that concerns the table alone. */
  store(offsets: readonly bigint[], definition: string): void {
    this.clickhouse.push(...offsets)
    for (const offset of offsets) this.madeBy.clickhouse.set(offset, definition)
  }

  fillView(token: string, offsets: readonly bigint[]): void {
    if (remember(this.viewTokens, token, this.#window)) this.view.push(...offsets)
  }

  /** A commit in PostgreSQL. */
  commit(state: PostgresState | null, given = this.given): void {
    if (this.postgres !== null) this.history.push({ postgres: this.postgres, given: this.given })
    this.postgres = state
    this.given = given
  }

  /** A replica takes over that lacks the latest commits, and knows of no open transaction. */
  loseCommits(howMany: number): void {
    this.lock = null
    if (!this.mayLoseCommits) return
    for (let lost = 0; lost < howMany && this.history.length > 0; lost++) {
      Object.assign(this, this.history.pop())
      this.hasLostCommits = true
      this.hasLostSuspendedOnes ||= this.outlasted > 0
    }
  }

  #runNow(entry: { run: () => void }): void {
    this.#later.splice(this.#later.indexOf(entry as never), 1)
    entry.run()
  }
}

/** False when it is known already. */
function remember(tokens: string[], token: string, window: number): boolean {
  if (tokens.includes(token)) return false
  tokens.push(token)
  if (tokens.length > window) tokens.shift()
  return true
}
