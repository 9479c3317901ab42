import type { Row } from '@smart-whale/interfaces'
import type { ColumnDescription, QueryStatistics } from '../adapter-options.ts'
import { type FailedQuery, mapNetworkError, mapServerError } from '../map-error.ts'
import { RowDecoder } from '../row-binary/row-decoder.ts'
import { refuseOtherFormat, tooLargeError } from './adapter-failures.ts'
import { type AnswerHeaders, isOurs, type ServerAnswer } from './http-transport.ts'
import { statisticsOf } from './statistics.ts'
import type { AnswerReader } from './whole-answer.ts'

/** Below this, the bytes of a whole answer wait for more: to decode often costs more than to decode much. */
const GATHERED_BYTES = 64 * 1024

/** A whole answer in `RowBinaryWithNamesAndTypes`. */
export interface AnsweredRows<T extends Row> {
  readonly rows: T[]
  readonly columns: readonly ColumnDescription[]
  readonly statistics: QueryStatistics
}

/** Reads the rows of a whole answer. Refuses one of more than `maxBytes`, with `ERR_CLICKHOUSE_LIMIT_EXCEEDED`. */
export class RowsReader<T extends Row> implements AnswerReader<AnsweredRows<T>> {
  readonly #query: FailedQuery
  readonly #maxBytes: number
  readonly #bytes: AnswerBytes
  readonly #decoder = new RowDecoder<T>()
  readonly #rows: T[] = []
  #headers: AnswerHeaders = {}
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #totalBytes = 0

  constructor(query: FailedQuery, maxBytes: number) {
    this.#query = query
    this.#maxBytes = maxBytes
    this.#bytes = new AnswerBytes(query)
  }

  begin(headers: AnswerHeaders): void {
    refuseOtherFormat(headers, this.#query)
    this.#bytes.begin(headers)
    this.#headers = headers
  }

  take(chunk: Buffer): void {
    this.#gather(this.#bytes.push(chunk))
  }

  end(broken?: unknown): AnsweredRows<T> {
    this.#gather(this.#bytes.end(broken))
    this.#decode()
    checkWhole(this.#decoder, this.#query)
    return { rows: this.#rows, columns: this.#decoder.columns ?? [], statistics: statisticsOf(this.#headers) }
  }

  #gather(part: Uint8Array): void {
    this.#totalBytes += part.length
    if (this.#totalBytes > this.#maxBytes) throw tooLargeError(this.#maxBytes, this.#query)
    if (part.length > 0) this.#gathered.push(part)
    this.#gatheredBytes += part.length
    if (this.#gatheredBytes >= GATHERED_BYTES) this.#decode()
  }

  #decode(): void {
    const bytes = this.#gathered.length === 1 ? (this.#gathered[0] as Uint8Array) : Buffer.concat(this.#gathered)
    for (const row of this.#decoder.push(bytes)) this.#rows.push(row)
    this.#gathered = []
    this.#gatheredBytes = 0
  }
}

/** Waits for the end of an answer that has no rows, as an insert's. */
export class EndReader implements AnswerReader<void> {
  readonly #bytes: AnswerBytes

  constructor(query: FailedQuery) {
    this.#bytes = new AnswerBytes(query)
  }

  begin(headers: AnswerHeaders): void {
    this.#bytes.begin(headers)
  }

  take(chunk: Buffer): void {
    this.#bytes.push(chunk)
  }

  end(broken?: unknown): void {
    this.#bytes.end(broken)
  }
}

/** Rows of an answer in `RowBinaryWithNamesAndTypes`, as they arrive: a batch of them for each chunk. */
export async function* answerRows<T extends Row>(answer: ServerAnswer, query: FailedQuery): AsyncIterable<T[]> {
  const decoder = new RowDecoder<T>()
  for await (const bytes of answerBytes(answer, query)) {
    const rows = decoder.push(bytes)
    if (rows.length > 0) yield rows
  }
  checkWhole(decoder, query)
}

/** The bytes of an answer as they arrive. A query that fails half-way: what came before is handed on, then its exception is thrown. */
export async function* answerBytes(answer: ServerAnswer, query: FailedQuery): AsyncIterable<Uint8Array> {
  const bytes = new AnswerBytes(query)
  bytes.begin(answer.headers)
  let broken: unknown
  try {
    for await (const chunk of answer.body) {
      const part = bytes.push(chunk)
      if (part.length > 0) yield part
    }
  } catch (error) {
    broken = error
  }
  const rest = bytes.end(broken)
  if (rest.length > 0) yield rest
}

const NOTHING: Buffer = Buffer.alloc(0)

/**
 * Parts an answer's bytes from the exception that stands behind them when the query failed half-way, between two marks that the
 * answer's header names.
 */
class AnswerBytes {
  readonly #query: FailedQuery
  #mark: Buffer | null = null
  #held: Buffer = NOTHING
  #exception: Buffer[] | null = null

  constructor(query: FailedQuery) {
    this.#query = query
  }

  begin(headers: AnswerHeaders): void {
    const tag = headers['x-clickhouse-exception-tag']
    this.#mark = tag === undefined ? null : Buffer.from(`__exception__\r\n${String(tag)}`)
  }

  /** Takes a chunk and gives what surely belongs to the answer. */
  push(chunk: Buffer): Buffer {
    if (this.#mark === null) return chunk
    if (this.#exception !== null) {
      this.#exception.push(chunk)
      return NOTHING
    }
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const at = bytes.indexOf(this.#mark)
    if (at !== -1) {
      this.#exception = [bytes.subarray(at + this.#mark.length)]
      this.#held = NOTHING
      return bytes.subarray(0, at)
    }
    // The mark may be cut by the chunk's end: as many bytes as could begin it wait for the next chunk.
    const end = Math.max(0, bytes.length - this.#mark.length + 1)
    this.#held = bytes.subarray(end)
    return bytes.subarray(0, end)
  }

  /** What is left at the end. @throws the exception that stood there, or what the connection was broken by */
  end(broken?: unknown): Buffer {
    // The server breaks the connection behind its exception, so that nobody takes the answer for whole.
    if (this.#exception !== null) throw mapServerError(exceptionText(Buffer.concat(this.#exception)), this.#query)
    if (broken === undefined) return this.#held
    throw isOurs(broken) || (broken as { name?: string }).name === 'AbortError' ? broken : mapNetworkError(broken, this.#query)
  }
}

/** The exception's text without what closes it: its length, the tag, the mark. */
function exceptionText(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r?\n\d+ \S+\r?\n__exception__\s*$/, '').trim()
}

function checkWhole(decoder: RowDecoder, query: FailedQuery): void {
  if (decoder.pendingBytes > 0) throw mapNetworkError({ code: 'UND_ERR_SOCKET', message: 'the answer ended in the middle of a row' }, query)
}
