import type { Dispatcher } from 'undici'
import type { AnswerBody, AnswerHeaders } from './http-transport.ts'

/** Reads an answer that is waited for as a whole. What it throws ends the request, and is its failure. */
export interface AnswerReader<R> {
  begin(headers: AnswerHeaders): void
  take(chunk: Buffer): void
  /** What the answer says. @throws what is wrong with it, at the latest what the connection was broken by */
  end(broken?: unknown): R
}

/** How an answer that is none is read: one whose status isn't 200. */
export type ReadRefusal = (status: number, headers: AnswerHeaders, text: string) => Error

/** Errors of a server come with the answer's status and may be long; more than this says nothing more. */
export const MAX_ERROR_BYTES = 64 * 1024

/** Hands an answer to its reader as the socket brings it: a stream in between costs a short answer more than its bytes. */
export class AnswerHandler<R> implements Dispatcher.DispatchHandler {
  readonly #reader: AnswerReader<R>
  readonly #readRefusal: ReadRefusal
  readonly #resolve: (value: R) => void
  readonly #reject: (reason: unknown) => void
  #controller: Dispatcher.DispatchController | null = null
  #refusal: Refusal | null = null
  #givenUp: { readonly reason: Error } | null = null

  constructor(reader: AnswerReader<R>, readRefusal: ReadRefusal, resolve: (value: R) => void, reject: (reason: unknown) => void) {
    this.#reader = reader
    this.#readRefusal = readRefusal
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Nobody waits for it any more: it fails at once, and the socket is closed, or the request isn't sent when its turn comes. */
  giveUp(reason: Error): void {
    this.#givenUp = { reason }
    this.#reject(reason)
    this.#controller?.abort(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#givenUp !== null) controller.abort(this.#givenUp.reason)
    else this.#controller = controller
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: AnswerHeaders): void {
    // A proxy's word on the way; the answer comes later.
    if (status < 200) return
    if (status === 200) this.#reader.begin(headers)
    else this.#refusal = { status, headers, chunks: [], bytes: 0 }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#refusal === null) return this.#reader.take(chunk)
    this.#refusal.chunks.push(chunk)
    this.#refusal.bytes += chunk.length
    if (this.#refusal.bytes > MAX_ERROR_BYTES) throw this.#refusedBy(this.#refusal)
  }

  onResponseEnd(): void {
    try {
      if (this.#refusal !== null) throw this.#refusedBy(this.#refusal)
      this.#resolve(this.#reader.end())
    } catch (error) {
      this.#reject(error)
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, broken: Error): void {
    if (this.#givenUp !== null) return
    try {
      this.#resolve(this.#reader.end(broken))
    } catch (error) {
      this.#reject(error)
    }
  }

  #refusedBy({ status, headers, chunks }: Refusal): Error {
    return this.#readRefusal(status, headers, Buffer.concat(chunks).toString('utf8'))
  }
}

interface Refusal {
  readonly status: number
  readonly headers: AnswerHeaders
  readonly chunks: Buffer[]
  bytes: number
}

/** The same from a stream. */
export async function readWhole<R>(headers: AnswerHeaders, body: AnswerBody, reader: AnswerReader<R>): Promise<R> {
  let broken: unknown
  try {
    reader.begin(headers)
    for await (const chunk of body) reader.take(chunk)
  } catch (error) {
    broken = error
    body.destroy()
  }
  return reader.end(broken)
}
