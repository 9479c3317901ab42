// Declares a module that has no declarations, which an import can not do.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="./pg-cursor.d.ts" />
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Row } from '@smart-whale/interfaces'
import type { Client, QueryArrayConfig, QueryResult } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import type { SqlResult } from '../sql-driver.ts'
import { decoderOf } from './decode-value.ts'
import { PipelinedStatement } from './pg-pipeline.ts'
import type { RawCursor, RawParameters, RawSession } from './raw-session.ts'
import { StatementNames } from './statement-names.ts'

/** The parts of a connected client that its type declarations keep to themselves. */
export interface ClientInternals {
  readonly processID: number
  readonly secretKey: number
  readonly connection: { readonly stream: { destroy(): void } }
}

const types = { getTypeParser: (typeId: number) => decoderOf(typeId) }

/** A session through `pg`. */
export class PgSession implements RawSession {
  readonly processId: number
  readonly secretKey: number
  readonly closed: Promise<unknown>
  readonly #client: Client
  readonly #names: StatementNames | undefined

  constructor(client: Client, prepare: boolean) {
    const { processID, secretKey } = client as unknown as ClientInternals
    this.processId = processID
    this.secretKey = secretKey
    this.#client = client
    this.#names = prepare ? new StatementNames() : undefined
    this.closed = new Promise((resolve) => {
      client.on('error', resolve)
      client.once('end', () => resolve(Object.assign(new RangeError('connection ended'), { code: 'CONNECTION_ENDED' })))
    })
  }

  async query(sql: string, params: RawParameters): Promise<SqlResult> {
    const name = this.#names?.nameOf(sql)
    // The extended protocol also without parameters: it takes one statement only, so that nothing can be appended to it.
    const request = { text: sql, values: [...params], types, queryMode: 'extended', ...(name === undefined ? {} : { name }) } as unknown as QueryArrayConfig
    try {
      return resultOf((await this.#client.query(request)) as unknown as QueryResult<Row>)
    } catch (error) {
      this.#names?.forget(sql, error)
      throw error
    }
  }

  async runScript(sql: string): Promise<void> {
    await this.#client.query(sql)
  }

  async executeMany(sql: string, paramsList: readonly RawParameters[]): Promise<number> {
    const statement = new PipelinedStatement(sql, paramsList)
    this.#client.query(statement)
    return statement.rowCount
  }

  openCursor(sql: string, params: RawParameters, batchRows: number): RawCursor {
    const cursor = this.#client.query(new Cursor<Row>(sql, [...params], { types }))
    return { read: () => cursor.read(batchRows), close: () => cursor.close() }
  }

  async copyIn(sql: string, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<number> {
    const target = this.#client.query(copyFrom(sql))
    await pipeline(Readable.from(source, { objectMode: true, highWaterMark: 1 }), target)
    return target.rowCount
  }

  async end(): Promise<void> {
    await this.#client.end()
  }

  destroy(): void {
    ;(this.#client as unknown as ClientInternals).connection.stream.destroy()
  }
}

function resultOf(result: QueryResult<Row>): SqlResult {
  return {
    rows: result.rows,
    fields: result.fields.map((field) => ({ name: field.name, typeId: field.dataTypeID })),
    rowCount: result.rowCount ?? 0,
    command: result.command ?? '',
  }
}
