import type { Row } from '@smart-whale/interfaces'
import type { ColumnDescription } from '../adapter-options.ts'
import { type FailedQuery, mapNetworkError, mapServerError } from '../map-error.ts'
import { RowDecoder } from '../row-binary/row-decoder.ts'
import { tooLargeError } from './adapter-failures.ts'
import { isOurs, type ServerAnswer } from './http-transport.ts'

/**
 * The bytes of an answer. A query that fails half-way has its exception behind the bytes, between two marks that the
 * answer's header names: what comes before is handed on, then the exception is thrown.
 */
export async function* answerBytes(answer: ServerAnswer, query: FailedQuery): AsyncIterable<Uint8Array> {
  const tag = answer.headers['x-clickhouse-exception-tag']
  const mark = Buffer.from(`__exception__\r\n${String(tag)}`)
  let held: Buffer = Buffer.alloc(0)
  let exception: Buffer[] | null = null
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      if (exception !== null) {
        exception.push(chunk)
        continue
      }
      const bytes: Buffer = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      const at = tag === undefined ? -1 : bytes.indexOf(mark)
      // The mark may be cut by the chunk's end: as many bytes as could begin it wait for the next chunk.
      const end = at === -1 ? Math.max(0, bytes.length - mark.length + 1) : at
      if (at !== -1) exception = [bytes.subarray(at + mark.length)]
      held = at === -1 ? bytes.subarray(end) : Buffer.alloc(0)
      if (end > 0) yield bytes.subarray(0, end)
    }
  } catch (error) {
    // The server breaks the connection behind its exception, so that nobody takes the answer for whole.
    if (exception === null) throw isOurs(error) || (error as { name?: string }).name === 'AbortError' ? error : mapNetworkError(error, query)
  }
  if (exception !== null) throw mapServerError(exceptionText(Buffer.concat(exception)), query)
  if (held.length > 0) yield held
}

/** The exception's text without what closes it: its length, the tag, the mark. */
function exceptionText(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r?\n\d+ \S+\r?\n__exception__\s*$/, '').trim()
}

/**
 * Rows of an answer in `RowBinaryWithNamesAndTypes`, as they arrive: a batch of them for each chunk.
 * @throws QueryError `ERR_CLICKHOUSE_LIMIT_EXCEEDED` when they take more than `maxBytes`
 */
export async function* answerRows<T extends Row>(
  answer: ServerAnswer,
  query: FailedQuery,
  onColumns?: (columns: readonly ColumnDescription[]) => void,
  maxBytes = Infinity,
): AsyncIterable<T[]> {
  const decoder = new RowDecoder<T>()
  let told = false
  let total = 0
  for await (const bytes of answerBytes(answer, query)) {
    total += bytes.length
    if (total > maxBytes) throw tooLargeError(maxBytes, query)
    const rows = decoder.push(bytes)
    if (!told && decoder.columns !== null) {
      told = true
      onColumns?.(decoder.columns)
    }
    if (rows.length > 0) yield rows
  }
  if (decoder.pendingBytes > 0) throw mapNetworkError({ code: 'UND_ERR_SOCKET', message: 'the answer ended in the middle of a row' }, query)
}
