import type { Connection, Submittable } from 'pg'
import type { RawParameters } from './raw-session.ts'

/** The wire messages that are used here. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void; once(event: 'drain' | 'close', listener: () => void): void; readonly writableNeedDrain: boolean }
  parse(message: { text: string; name: string; types: readonly number[] }): void
  bind(message: { values: RawParameters }): void
  execute(message: object): void
  sync(): void
  sendCopyFail(reason: string): void
}

const BINDS_AT_ONCE = 500

/**
 * One statement, parsed once and bound for each parameter list, sent without waiting for the answers.
 * A single Sync ends it all, which makes the server run it as one transaction.
 */
export class PipelinedStatement implements Submittable {
  readonly rowCount: Promise<number>
  readonly #sql: string
  readonly #lists: readonly RawParameters[]
  readonly #outcome = Promise.withResolvers<number>()
  #count = 0
  #failed = false

  constructor(sql: string, lists: readonly RawParameters[]) {
    this.#sql = sql
    this.#lists = lists
    this.rowCount = this.#outcome.promise
  }

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire
    wire.parse({ text: this.#sql, name: '', types: [] })
    this.#sendFrom(0, wire)
  }

  /** Sends as much as the socket takes, and goes on when it has drained. */
  #sendFrom(start: number, wire: Wire): void {
    let next = start
    while (next < this.#lists.length && !this.#failed) {
      const end = Math.min(next + BINDS_AT_ONCE, this.#lists.length)
      wire.stream.cork()
      for (; next < end; next++) {
        wire.bind({ values: this.#lists[next] as RawParameters })
        wire.execute({})
      }
      wire.stream.uncork()
      if (wire.stream.writableNeedDrain && next < this.#lists.length) {
        const goOn = next
        wire.stream.once('drain', () => this.#sendFrom(goOn, wire))
        return
      }
    }
    wire.sync()
  }

  handleCommandComplete(message: { text: string }): void {
    this.#count += Number(/ (\d+)$/.exec(message.text)?.[1] ?? 0)
  }

  handleError(error: Error): void {
    this.#failed = true
    this.#outcome.reject(error)
  }

  handleReadyForQuery(): void {
    this.#outcome.resolve(this.#count)
  }

  handleCopyInResponse(connection: unknown): void {
    ;(connection as Wire).sendCopyFail('COPY is not possible here')
  }

  // Rows and the rest of the answers are of no interest.
  handleDataRow(): void {}
  handleRowDescription(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}
}
