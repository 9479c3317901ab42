import { Pool } from 'undici'
import type { ConnectionParams } from '../clickhouse-config.ts'
import { ConnectionTimeoutError } from '../errors.ts'
import { mapForeignAnswer, mapNetworkError } from '../map-error.ts'

/** Asks a server whether it is there: on a socket of its own, so that no query stands before the question. */
export class ServerProbe {
  readonly #server: string
  readonly #timeoutMs: number
  readonly #sockets: Pool

  constructor({ host, port, url }: ConnectionParams, timeoutMs: number) {
    this.#server = `${host}:${port}`
    this.#timeoutMs = timeoutMs
    this.#sockets = new Pool(url, { connections: 1, connect: { timeout: timeoutMs }, headersTimeout: 0, bodyTimeout: 0 })
  }

  /** Resolves when the server answers; to `/ping`, for which it needs no login, no memory and no place for a query. */
  async ask(): Promise<void> {
    const late = new AbortController()
    // Where it is this process that was held up, the answer is there already: it is read before the deadline counts.
    const timer = setTimeout(() => setImmediate(() => late.abort()), this.#timeoutMs)
    try {
      const { statusCode, body } = await this.#sockets.request({ method: 'GET', path: '/ping', signal: late.signal })
      await body.dump()
      // Behind a proxy that knows no such path somebody answered all the same; a proxy whose server is away says so.
      if (statusCode >= 500) throw mapForeignAnswer(statusCode, { server: this.#server })
    } catch (error) {
      throw late.signal.aborted ? this.#tooLate() : mapNetworkError(error, { server: this.#server })
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    await this.#sockets.destroy()
  }

  #tooLate(): ConnectionTimeoutError {
    return new ConnectionTimeoutError(`ClickHouse at ${this.#server} answered neither its queries nor a ping within ${this.#timeoutMs} ms; check whether the server hangs or the network is cut`, { server: this.#server })
  }
}
