import type { Socket } from 'node:net'
import { giveBack, own } from '../kafka/own-memory.ts'
import type { KafkaJsConnection } from './kafkajs-library.ts'

/** Before each answer: its length and its number. */
const HEADER_BYTES = 8

/**
 * What the socket of a connection brings. kafkajs puts an answer of several chunks together in memory of its own: the chunks can be freed as soon as
 * it is whole, and that memory by whoever gets the answer. Only of an answer that nobody waited for another one beside: of several, parts may lie in
 * one chunk.
 */
export class ReceivedChunks {
  readonly #connection: KafkaJsConnection
  #chunks: Buffer[] = []
  #pending = 0
  #isShared = false

  /** From when the connection stands. */
  constructor(connection: KafkaJsConnection, socket: Socket) {
    this.#connection = connection
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
  }

  /** The answer that a request brings. */
  async of(request: () => Promise<Buffer>): Promise<Buffer> {
    if (this.#pending++ > 0) this.#isShared = true
    let answer: Buffer | null = null
    try {
      answer = await request()
      return answer
    } finally {
      if (--this.#pending === 0) this.#settle(this.#isShared ? null : answer)
    }
  }

  #settle(answer: Buffer | null): void {
    const chunks = this.#chunks
    this.#chunks = []
    this.#isShared = false
    if (answer === null || this.#connection.bytesBuffered > 0) return
    // An empty view of the answer's memory, which would be in the way of the next chunk.
    this.#connection.chunks = []
    for (const chunk of chunks) if (chunk.buffer !== answer.buffer) giveBack(own(chunk))
    const isAlone = chunks.length > 1 && answer.byteOffset === HEADER_BYTES && answer.byteOffset + answer.byteLength === answer.buffer.byteLength
    if (isAlone) own(new Uint8Array(answer.buffer))
  }
}
