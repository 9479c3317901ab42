import { hash, randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { CallOptions, Clock, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quotedNameOf, type TableFacts } from './table-facts.ts'

/** What a table that lives only as long as its run is for: a snapshot, what is being restored, what stood there before. */
export type WorkTablePurpose = 'backup' | 'restore' | 'replaced'

/** The tables of runs that this process is about. */
const OWN_RUNS = new Set<string>()
const OWN_HOST = hash('sha256', hostname(), 'hex').slice(0, 8)
const SEPARATOR = '__sw_'

/** One run's tables beside the one that it works on. Their names tell who made them and when. */
export class WorkTables {
  readonly #run: string
  readonly #database: string
  readonly #table: string

  constructor(database: string, table: string, clock: Clock) {
    this.#database = database
    this.#table = table
    this.#run = `${OWN_HOST}_${process.pid}_${clock.now()}_${randomBytes(4).toString('hex')}`
    OWN_RUNS.add(this.#run)
  }

  nameOf(purpose: WorkTablePurpose): { readonly database: string; readonly name: string } {
    return { database: this.#database, name: `${this.#table}${SEPARATOR}${purpose}_${this.#run}` }
  }

  /** The run is over: whatever it left behind belongs to nobody any more. */
  end(): void {
    OWN_RUNS.delete(this.#run)
  }
}

/** A table that a run left behind. */
export interface LeftTable {
  readonly database: string
  readonly name: string
  readonly purpose: WorkTablePurpose
}

/** Tables of runs that are dead: of this machine and no longer there, or older than any run gets. */
export async function findLeftTables(adapter: ClickHouseAdapter, { database, name }: Pick<TableFacts, 'database' | 'name'>, oldestMs: number, call: CallOptions): Promise<LeftTable[]> {
  const { rows } = await adapter.execute<Row & { name: string }>(
    'SELECT name FROM system.tables WHERE database = {database:String} AND startsWith(name, {prefix:String})',
    { database, prefix: `${name}${SEPARATOR}` },
    call,
  )
  return rows.flatMap((row) => {
    const parts = /^(backup|restore|replaced)_(([0-9a-f]{8})_(\d+)_(\d+)_[0-9a-f]{8})$/.exec(row.name.slice(name.length + SEPARATOR.length))
    if (parts === null) return []
    const [, purpose, run = '', host, pid, startedMs] = parts
    const dead = Number(startedMs) < oldestMs || (host === OWN_HOST && !isAlive(Number(pid), run))
    return dead ? [{ database, name: row.name, purpose: purpose as WorkTablePurpose }] : []
  })
}

/** Drops a table now, however large and whatever refers to its name. */
export async function dropTable(adapter: ClickHouseAdapter, table: { readonly database: string; readonly name: string }, call: CallOptions): Promise<void> {
  await adapter.execute(`DROP TABLE IF EXISTS ${quotedNameOf(table)} SYNC`, {}, { ...call, settings: { max_table_size_to_drop: 0, check_table_dependencies: 0 } })
}

/** How long cleaning up may take, in milliseconds. */
const CLEAN_UP_TIMEOUT_MS = 60_000

/** For what cleans up: a caller who has left, or a deadline that is over, doesn't end it. */
export function afterwards<Call extends CallOptions>(call: Call): Call {
  return { ...call, signal: undefined, timeoutMs: CLEAN_UP_TIMEOUT_MS }
}

function isAlive(pid: number, run: string): boolean {
  if (pid === process.pid) return OWN_RUNS.has(run)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and another user's.
    return (error as { code?: string }).code === 'EPERM'
  }
}
