import type { Row } from '@smart-whale/interfaces'
import type { ColumnDescription } from '../adapter-options.ts'
import { type FailedQuery, mapNetworkError, mapServerError } from '../map-error.ts'
import { RowDecoder } from '../row-binary/row-decoder.ts'
import { tooLargeError } from './adapter-failures.ts'
import { isOurs, type ServerAnswer } from './http-transport.ts'

/** Below this, the bytes of a whole answer wait for more: to decode often costs more than to decode much. */
const GATHERED_BYTES = 64 * 1024

/** A whole answer in `RowBinaryWithNamesAndTypes`. */
export interface AnsweredRows<T extends Row> {
  readonly rows: T[]
  readonly columns: readonly ColumnDescription[]
}

/**
 * Reads a whole answer. By events and not by an async iterator, which costs a short answer more than its bytes.
 * @throws QueryError `ERR_CLICKHOUSE_LIMIT_EXCEEDED` when it takes more than `maxBytes`
 */
export function readRows<T extends Row>(answer: ServerAnswer, query: FailedQuery, maxBytes: number): Promise<AnsweredRows<T>> {
  const { body } = answer
  const bytes = new AnswerBytes(answer, query)
  const decoder = new RowDecoder<T>()
  const rows: T[] = []
  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  let total = 0
  const gather = (part: Uint8Array): void => {
    total += part.length
    if (total > maxBytes) throw tooLargeError(maxBytes, query)
    gathered.push(part)
    gatheredBytes += part.length
    if (gatheredBytes >= GATHERED_BYTES) decode()
  }
  const decode = (): void => {
    for (const row of decoder.push(Buffer.concat(gathered))) rows.push(row)
    gathered = []
    gatheredBytes = 0
  }
  return new Promise((resolve, reject) => {
    const attempt = (step: () => void): void => {
      try {
        step()
      } catch (error) {
        reject(error as Error)
        body.destroy()
      }
    }
    // Who comes late hears of no event.
    if (body.errored !== null) return attempt(() => bytes.end(body.errored))
    body.on('data', (chunk: Buffer) => attempt(() => gather(bytes.push(chunk))))
    body.on('error', (error: Error) => attempt(() => bytes.end(error)))
    body.on('end', () =>
      attempt(() => {
        gather(bytes.end())
        decode()
        checkWhole(decoder, query)
        resolve({ rows, columns: decoder.columns ?? [] })
      }),
    )
  })
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
  const bytes = new AnswerBytes(answer, query)
  let broken: unknown
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
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
  readonly #mark: Buffer | null
  #held: Buffer = NOTHING
  #exception: Buffer[] | null = null

  constructor(answer: ServerAnswer, query: FailedQuery) {
    const tag = answer.headers['x-clickhouse-exception-tag']
    this.#query = query
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
