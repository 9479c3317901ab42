import type { Row } from '@smart-whale/interfaces'
import type { SqlResult } from '../sql-driver.ts'

/** An open cursor of a {@link RawSession}. */
export interface RawCursor {
  /** The next rows; none when there are no more. */
  read(): Promise<Row[]>
  /** Ends the query, whether all was read or not; the session is free afterwards. */
  close(): Promise<void>
}

/** Text of each parameter, `null` for none. */
export type RawParameters = readonly (string | null)[]

/**
 * What a client library has to offer to become a driver: one session, no deadlines, its own errors.
 * `BoundedConnection` makes a `SqlConnection` of it and never runs two things at once on it.
 */
export interface RawSession {
  readonly processId: number
  /** Interrupts the server for this session, from outside. */
  readonly secretKey: number
  /** Resolves with the reason when the session has ended, however that came. */
  readonly closed: Promise<unknown>
  query(sql: string, params: RawParameters): Promise<SqlResult>
  runScript(sql: string): Promise<void>
  /** All or nothing; outside of a transaction it makes one of its own. Returns the rows changed. */
  executeMany(sql: string, paramsList: readonly RawParameters[], withinTransaction: boolean): Promise<number>
  openCursor(sql: string, params: RawParameters, batchRows: number): RawCursor
  /** Returns how many rows the server says it stored. */
  copyIn(sql: string, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<number>
  /** Says goodbye and resolves when the session has ended. */
  end(): Promise<void>
  /** Drops the socket at once. */
  destroy(): void
}
