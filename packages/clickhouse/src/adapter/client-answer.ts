import { once } from 'node:events'
import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib'
import type { AnswerBody } from './http-transport.ts'

const DECODERS = { gzip: createGunzip, br: createBrotliDecompress, zstd: createZstdDecompress } as const
type Decoder = ReturnType<(typeof DECODERS)[ContentEncoding]>

/** What an answer may be compressed by. */
export type ContentEncoding = keyof typeof DECODERS

/** Whether an answer that is compressed in this way can be read. */
export function isContentEncoding(name: string): name is ContentEncoding {
  return name in DECODERS
}

/**
 * An answer of a stock client, up to where it really ends. When the server breaks the connection behind an exception, a Node.js stream fails at once and hands out
 * nothing more, not even what it holds already: a slow reader would hear of a broken connection and never of the exception. Decompressed here for the
 * same reason: the client drops what its decoder holds.
 */
export class ClientAnswer implements AnswerBody {
  readonly #stream: Readable
  readonly #encoding: ContentEncoding | undefined
  readonly #signal: AbortSignal

  /**
   * @param stream as it came over the wire
   * @param encoding what it is compressed by
   * @param signal ends it at once: the client itself heeds one only until an answer begins
   */
  constructor(stream: Readable, encoding: ContentEncoding | undefined, signal: AbortSignal) {
    this.#stream = stream
    this.#encoding = encoding
    this.#signal = signal
    const leave = (): void => void stream.destroy(signal.reason as Error)
    // Whoever reads the body hears of its end; one that is dropped must not bring the process down.
    stream.on('error', () => {}).once('close', () => signal.removeEventListener('abort', leave))
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  }

  destroy(): void {
    this.#stream.destroy()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    const bytes = this.#allOf(this.#stream)
    yield* this.#encoding === undefined ? bytes : this.#allOf(decompressed(bytes, this.#encoding))
  }

  async *#allOf(stream: Readable): AsyncIterable<Buffer> {
    try {
      yield* stream as AsyncIterable<Buffer>
    } catch (error) {
      // Nobody waits any more: what is left is nobody's.
      if (this.#signal.aborted) throw error
      for (let held = stream.read() as Buffer | null; held !== null; held = stream.read() as Buffer | null) yield held
      throw error
    }
  }
}

function decompressed(bytes: AsyncIterable<Buffer>, encoding: ContentEncoding): Readable {
  const decoder = DECODERS[encoding]()
  pipeline(untilDecoded(bytes, decoder), decoder, () => {})
  return decoder
}

/** Fails only when the decoder is through with all that came before. */
async function* untilDecoded(bytes: AsyncIterable<Buffer>, decoder: Decoder): AsyncIterable<Buffer> {
  try {
    yield* bytes
  } catch (error) {
    const flushed = new Promise<void>((resolve) => decoder.flush(resolve))
    await Promise.race([flushed, once(decoder, 'close')])
    throw error
  }
}
