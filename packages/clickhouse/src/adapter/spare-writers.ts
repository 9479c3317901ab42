import { ByteWriter } from '../row-binary/byte-writer.ts'

/** Memory that stays with an idle adapter at most: two batches of usual size. */
const MOST_WRITERS = 2
const MOST_BYTES = 8 * 1024 * 1024

/**
 * Writers whose batches were sent, to be written anew. A fresh buffer of megabytes for each batch costs more than to encode its rows:
 * the system clears every page of it, and the collector runs for it alone.
 */
export class SpareWriters {
  readonly #writers: ByteWriter[] = []

  take(): ByteWriter {
    const writer = this.#writers.pop() ?? new ByteWriter()
    writer.at = 0
    return writer
  }

  /** Only for a writer whose bytes nobody reads any more: what a socket still sends must not change. */
  giveBack(writer: ByteWriter): void {
    if (this.#writers.length < MOST_WRITERS && writer.buffer.length <= MOST_BYTES) this.#writers.push(writer)
  }
}
