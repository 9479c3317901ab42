import { hash } from 'node:crypto'
import { createRetry, withDeadline } from '@smart-whale/core-resilience'
import { ConfigurationError, type Policy, type PolicyContext } from '@smart-whale/interfaces'
import { type Dispatcher, request as sendRequest } from 'undici'
import type { ClickHouseErrorCode } from '../errors.ts'
import { brokenBy, refusedBy, unreadable } from './s3-store-answers.ts'
import { addressOf, type S3Settings } from './s3-store-options.ts'

/** One request to the bucket, or to an object of it. */
export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** What it does, for errors: `read x`. */
  readonly what: string
  /** @default the bucket itself */
  readonly key?: string | undefined
  readonly query?: Readonly<Record<string, string>> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Uint8Array | undefined
}

/** What stands in an answer. */
export interface S3Answer {
  readonly text: string
  readonly headers: Dispatcher.ResponseData['headers']
}

/** A thousand names of the longest kind, each character escaped, fit. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
const MAX_REFUSAL_BYTES = 64 * 1024

/** Sends signed requests: each within its time, and again when it fails in a way that passes. */
export class S3Requests {
  readonly #settings: S3Settings
  readonly #retry: Policy
  /** Keys that are derived for a day's signatures. */
  readonly #keys = new Map<string, ArrayBuffer>()

  constructor(settings: S3Settings) {
    this.#settings = settings
    this.#retry = createRetry({ name: 's3_store', maxAttempts: settings.maxAttempts, clock: settings.clock })
  }

  /** Sends a request and answers what `read` makes of the whole answer; when that fails in a way that passes, it is sent again as well. */
  ask<T>(request: S3Request, signal: AbortSignal | undefined, read: (answer: S3Answer) => T): Promise<T> {
    return this.#persist(request, signal, async (attempt) => {
      const { headers, body } = await this.#attempt(request, attempt)
      return read({ headers, text: await textOf(body, MAX_ANSWER_BYTES, request.what) })
    })
  }

  /** Sends a request and answers when its answer begins. The body ends with the signal. */
  open(request: S3Request, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return this.#persist(request, signal, (attempt) => this.#attempt(request, AbortSignal.any([signal, attempt])))
  }

  /** One more step of work that was begun, within the time of a request. */
  within<T>(what: string, signal: AbortSignal | undefined, work: (context: PolicyContext) => Promise<T>): Promise<T> {
    const { timeoutMs, clock } = this.#settings
    return withDeadline(work, { timeoutMs, signal, what: `the place of the backups, to ${what},`, clock })
  }

  #persist<T>({ what }: S3Request, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const attempt = (each: AbortSignal): Promise<T> =>
      work(each).catch((error: unknown) => {
        throw each.aborted ? error : brokenBy(what, error)
      })
    return this.within(what, signal, (context) => this.#retry.execute(({ signal: each }) => attempt(each), context))
  }

  /** @throws BackupError when the answer is a refusal */
  async #attempt({ method, what, key = '', query = {}, headers = {}, body }: S3Request, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const url = addressOf(this.#settings, key, query)
    const { AwsV4Signer } = await loadSigner()
    // With the hash of what is sent in it, the signature also says that it arrived as it was.
    const signed = { ...headers, 'x-amz-content-sha256': hash('sha256', body ?? '', 'hex') }
    const signer = new AwsV4Signer({ ...this.#settings.credentials, method, url: url.href, headers: signed, service: 's3', cache: this.#keys, datetime: this.#now() })
    const sent = await signer.sign()
    // Its time is bounded by the signal.
    const answer = await sendRequest(url, { method, headers: Object.fromEntries(sent.headers), body: body ?? null, signal, headersTimeout: 0, bodyTimeout: 0 })
    // Whoever reads the body hears of its end; one that is dropped must not bring the process down.
    answer.body.on('error', () => {})
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer
    throw refusedBy(what, answer.statusCode, answer.headers, await textOf(answer.body, MAX_REFUSAL_BYTES, what), this.#settings.clock.now())
  }

  #now(): string {
    return new Date(this.#settings.clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, '')
  }
}

async function textOf(body: AsyncIterable<Uint8Array>, maxBytes: number, what: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) throw unreadable(what, `its answer is longer than ${maxBytes} bytes; look at the endpoint`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Loads `aws4fetch` on first use: an optional peer.
 * @throws ConfigurationError `ERR_CLICKHOUSE_MISSING_PEER` that names the package
 */
async function loadSigner() {
  try {
    return await import('aws4fetch')
  } catch (cause) {
    const { code } = cause as { code?: unknown }
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause
    throw new ConfigurationError<ClickHouseErrorCode>('requests to a bucket are signed by the package aws4fetch, which is not installed; add it, or hand in a store of your own', {
      code: 'ERR_CLICKHOUSE_MISSING_PEER',
      cause,
    })
  }
}
