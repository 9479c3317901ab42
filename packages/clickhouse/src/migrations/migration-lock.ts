import { type CallOptions, type Clock, InfrastructureError, type TimerHandle } from '@smart-whale/interfaces'
import { outsideOfCalls, sleep } from '@smart-whale/core-resilience'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { OperationalError } from '../operational-errors.ts'
import { quoteName } from '../adapter/table-columns.ts'

/** How the lock is taken and kept. */
export interface MigrationLockOptions {
  /** The server to lock, and the database that the lock's tables are in. @default none, required */
  readonly adapter: ClickHouseAdapter
  /** Start of the name of the tables that stand for the lock. @default none, required */
  readonly prefix: string
  /** Who takes it, for whoever waits. @default none, required */
  readonly holder: string
  /** How long the lock outlives its last sign of life, in seconds, before others take it over; it is renewed three times as often. @default none, required */
  readonly leaseSeconds: number
  /** How long to wait for a holder that lives, in milliseconds. @default none, required */
  readonly lockTimeoutMs: number
  /** Paces waiting and renewals; how old a lock is, the server's clock tells. @default none, required */
  readonly clock: Clock
}

/** The right to migrate, until it is released or lost. */
export interface MigrationLock {
  /** Grows from holder to holder. */
  readonly epoch: number
  /** Aborts when the lock is lost. */
  readonly signal: AbortSignal
  /** @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_LOCK_LOST` when somebody else has taken it over */
  assertHeld(): Promise<void>
  /** The same, and asks the server only when it was not heard of for a third of the lease. */
  assertStillHeld(): Promise<void>
  release(): Promise<void>
}

interface LockTable {
  readonly name: string
  readonly epoch: number
  readonly comment: string
  readonly ageSeconds: number
  readonly leaseSeconds: number
}

const POLL_MS = 250

/**
 * Takes the lock, waiting for a holder that lives and taking over from one that died.
 *
 * ClickHouse has one thing that only one of many can do: create a table of a given name. So a table whose name ends in the epoch
 * is the lock; its comment is rewritten as long as the holder lives, and the server's own clock tells how long ago that was.
 * Who created a table beside one that lives withdraws; who finds one that died removes it, and its holder, should it wake up, finds it gone.
 *
 * @param firstEpoch lowest epoch that is not used up yet; asked again after the table was created
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_LOCKED` when the holder lives longer than `lockTimeoutMs`
 */
export async function takeMigrationLock(
  options: MigrationLockOptions,
  firstEpoch: () => Promise<number>,
  call: CallOptions,
): Promise<MigrationLock> {
  const { clock, lockTimeoutMs } = options
  const giveUpAt = clock.monotonic() + lockTimeoutMs
  const tables = new LockTables(options, call)
  for (;;) {
    const found = await tables.list()
    const living = found.find(lives)
    if (living === undefined) {
      const epoch = Math.max(await firstEpoch(), ...found.map((table) => table.epoch + 1))
      if ((await tables.create(epoch)) && (await mayKeep(tables, epoch, firstEpoch))) return new HeldLock(options, tables, epoch)
    }
    if (clock.monotonic() >= giveUpAt) throw lockedError(living, lockTimeoutMs)
    // Two that withdrew from each other must not meet again at the same moment.
    await sleep(POLL_MS * (0.5 + Math.random()), { clock, signal: call.signal })
  }
}

/** Whether the table just created is the lock: nobody else's lives, and nobody has used its epoch meanwhile. */
async function mayKeep(tables: LockTables, epoch: number, firstEpoch: () => Promise<number>): Promise<boolean> {
  const others = (await tables.list()).filter((table) => table.epoch !== epoch)
  if (others.some(lives) || (await firstEpoch()) > epoch) {
    await tables.drop(epoch)
    return false
  }
  for (const dead of others) await tables.drop(dead.epoch)
  return true
}

const lives = (table: LockTable): boolean => table.ageSeconds <= table.leaseSeconds

function lockedError(living: LockTable | undefined, waitedMs: number): OperationalError {
  const who = living === undefined ? 'somebody' : `${living.comment.split(';')[0]}, last heard of ${living.ageSeconds} s ago,`
  return new OperationalError(
    `${who} is migrating this database; waited ${waitedMs} ms. Wait until it is done: a holder that died is given up after its lease`,
    {
      code: 'ERR_CLICKHOUSE_MIGRATION_LOCKED',
      retryable: true,
      status: 409,
    },
  )
}

/** The tables that stand for the lock. */
class LockTables {
  readonly #options: MigrationLockOptions
  readonly #call: CallOptions

  constructor(options: MigrationLockOptions, call: CallOptions) {
    this.#options = options
    this.#call = call
  }

  async list(): Promise<LockTable[]> {
    const { adapter, prefix, leaseSeconds } = this.#options
    // Databases that keep their tables in no files know no time of modification: the comment tells it as well.
    const { rows } = await adapter.execute<{ name: string; comment: string; age: bigint | number }>(
      `SELECT name, comment, greatest(0, toInt64(toUnixTimestamp(now())) - greatest(toInt64(toUnixTimestamp(metadata_modification_time)), toInt64OrZero(extract(comment, '; seen (\\d+)')))) AS age
      FROM system.tables WHERE database = {database:String} AND startsWith(name, {prefix:String})`,
      { database: adapter.database, prefix },
      this.#call,
    )
    return rows.map(({ name, comment, age }) => ({
      name,
      comment,
      epoch: Number(name.slice(prefix.length)),
      ageSeconds: Number(age),
      // A holder is trusted for the lease that it announced.
      leaseSeconds: Number(/; lease (\d+) s/.exec(comment)?.[1] ?? leaseSeconds),
    }))
  }

  /** Whether it was this caller who created it. */
  async create(epoch: number): Promise<boolean> {
    try {
      await this.#execute(`CREATE TABLE ${this.#name(epoch)} (unused UInt8) ENGINE = Memory COMMENT ${await this.#comment(0)}`)
      return true
    } catch (error) {
      if (InfrastructureError.isInstance(error) && error.code === 'ERR_CLICKHOUSE_OBJECT_EXISTS') return false
      throw error
    }
  }

  async renew(epoch: number, times: number): Promise<void> {
    await this.#execute(`ALTER TABLE ${this.#name(epoch)} MODIFY COMMENT ${await this.#comment(times)}`)
  }

  async drop(epoch: number): Promise<void> {
    await this.#execute(`DROP TABLE IF EXISTS ${this.#name(epoch)} SYNC`)
  }

  async #execute(statement: string): Promise<void> {
    // The caller's signal does not end it: a table that is left behind would lock everybody out for a lease.
    await this.#options.adapter.execute(statement, {}, { timeoutMs: this.#call.timeoutMs, retry: false })
  }

  #name(epoch: number): string {
    const { adapter, prefix } = this.#options
    return `${quoteName(adapter.database)}.${quoteName(`${prefix}${epoch}`)}`
  }

  async #comment(times: number): Promise<string> {
    const { adapter, holder, leaseSeconds } = this.#options
    const { rows } = await adapter.execute<{ now: number }>('SELECT toUnixTimestamp(now()) AS now', {}, { timeoutMs: this.#call.timeoutMs })
    const text = `${holder.replace(/[^\w .:@-]/g, '_')}; lease ${leaseSeconds} s; renewed ${times} times; seen ${rows[0]?.now ?? 0}`
    return `'${text}'`
  }
}

/** There, and not so long silent that others may take it over. */
const isAlive =
  (epoch: number) =>
  (table: LockTable): boolean =>
    table.epoch === epoch && lives(table)

class HeldLock implements MigrationLock {
  readonly epoch: number
  readonly #options: MigrationLockOptions
  readonly #tables: LockTables
  readonly #lost = new AbortController()
  #timer: TimerHandle
  #renewedAt: number
  #confirmedAt = -Infinity
  #times = 0
  #renewing: Promise<void> = Promise.resolve()
  #released = false

  constructor(options: MigrationLockOptions, tables: LockTables, epoch: number) {
    this.epoch = epoch
    this.#options = options
    this.#tables = tables
    this.#renewedAt = options.clock.monotonic()
    this.#timer = this.#schedule()
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  async assertHeld(): Promise<void> {
    const askedAt = this.#options.clock.monotonic()
    if (this.#lost.signal.aborted || !(await this.#tables.list()).some(isAlive(this.epoch))) throw this.#lose()
    this.#confirmedAt = askedAt
  }

  async assertStillHeld(): Promise<void> {
    const { clock, leaseSeconds } = this.#options
    const isFresh = (): boolean => clock.monotonic() - Math.max(this.#confirmedAt, this.#renewedAt) < (leaseSeconds * 1000) / 3
    while (this.#lost.signal.aborted || !isFresh()) await this.assertHeld()
  }

  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    this.#options.clock.clearTimeout(this.#timer)
    await this.#renewing
    await this.#tables.drop(this.epoch)
  }

  #schedule(): TimerHandle {
    const { clock, leaseSeconds } = this.#options
    const renew = (): void => {
      this.#renewing = this.#renew()
    }
    return outsideOfCalls(() => clock.setTimeout(renew, (leaseSeconds * 1000) / 3))
  }

  async #renew(): Promise<void> {
    const { clock, leaseSeconds } = this.#options
    const begunAt = clock.monotonic()
    try {
      await this.#tables.renew(this.epoch, ++this.#times)
      this.#renewedAt = begunAt
    } catch (error) {
      const gone = InfrastructureError.isInstance(error) && error.code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT'
      // One renewal may fail: the lease lasts for three.
      if (gone || clock.monotonic() - this.#renewedAt > leaseSeconds * 1000) return void this.#lose()
    }
    if (!this.#released) this.#timer = this.#schedule()
  }

  #lose(): OperationalError {
    const message = 'the migration lock was lost: this process could not renew it in time and another may have taken over; run again'
    const error = new OperationalError(message, { code: 'ERR_CLICKHOUSE_MIGRATION_LOCK_LOST', retryable: true, status: 409 })
    this.#lost.abort(error)
    return error
  }
}
