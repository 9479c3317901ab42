import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { giveBack } from '../kafka/own-memory.ts'
import type { KafkaJsConnection } from './kafkajs-library.ts'
import { ReceivedChunks } from './received-chunks.ts'

/** A connection as kafkajs puts its answers together. */
function connectionOf(socket: EventEmitter): Pick<KafkaJsConnection, 'chunks' | 'bytesBuffered'> & { answers: ((answer: Buffer) => void)[] } {
  const connection = { chunks: [] as Buffer[], bytesBuffered: 0, answers: [] as ((answer: Buffer) => void)[] }
  socket.on('data', (chunk: Buffer) => {
    connection.chunks.push(chunk)
    for (;;) {
      const whole = connection.chunks.length > 1 ? Buffer.concat(connection.chunks) : (connection.chunks[0] as Buffer)
      const end = whole.length < 4 ? Infinity : 4 + whole.readInt32BE(0)
      connection.chunks = [whole]
      connection.bytesBuffered = whole.length
      if (whole.length < end) return
      connection.chunks = [whole.subarray(end)]
      connection.bytesBuffered = whole.length - end
      connection.answers.shift()?.(whole.subarray(8, end))
    }
  })
  return connection
}

function opened(): { ask: () => Promise<Buffer>; socket: EventEmitter } {
  const socket = new EventEmitter()
  const connection = connectionOf(socket)
  const received = new ReceivedChunks(connection as unknown as KafkaJsConnection, socket as Socket)
  return { socket, ask: () => received.of(() => new Promise((resolve) => connection.answers.push(resolve))) }
}

/** An answer as it comes over the wire, in chunks of so many bytes. */
function chunksOf(answers: readonly Buffer[], size: number): Buffer[] {
  const bytes = Buffer.concat(
    answers.flatMap((answer) => {
      const header = Buffer.alloc(8)
      header.writeInt32BE(4 + answer.length)
      return [header, answer]
    }),
  )
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => Buffer.from(Uint8Array.from(bytes.subarray(index * size, (index + 1) * size)).buffer))
}

const large = (fill: number): Buffer => Buffer.alloc(100_000, fill)

describe('ReceivedChunks', () => {
  it('frees the chunks of an answer that was put together, and lets the answer be freed; the next one comes as well', async () => {
    const { ask, socket } = opened()

    for (const fill of [1, 2, 3]) {
      const asked = ask()
      const chunks = chunksOf([large(fill)], 30_000)
      for (const chunk of chunks) socket.emit('data', chunk)
      const answer = await asked

      expect(answer.equals(large(fill))).toBe(true)
      expect(chunks.map(({ length }) => length)).toEqual([0, 0, 0, 0])
      giveBack(answer)
      expect(answer.length).toBe(0)
    }
  })

  it('frees nothing that an answer is a view of', async () => {
    const { ask, socket } = opened()

    const asked = ask()
    for (const chunk of chunksOf([large(1)], 200_000)) socket.emit('data', chunk)
    const answer = await asked
    giveBack(answer)

    expect(answer.equals(large(1))).toBe(true)
  })

  it('frees nothing of answers that may lie in one chunk', async () => {
    const { ask, socket } = opened()

    const asked = [ask(), ask()]
    for (const chunk of chunksOf([large(1), large(2)], 150_000)) socket.emit('data', chunk)
    const answers = await Promise.all(asked)
    for (const answer of answers) giveBack(answer)

    expect(answers.map((answer, index) => answer.equals(large(index + 1)))).toEqual([true, true])
  })

  it('passes a failure on, and goes on', async () => {
    const socket = new EventEmitter()
    const received = new ReceivedChunks(connectionOf(socket) as unknown as KafkaJsConnection, socket as Socket)

    await expect(received.of(() => Promise.reject(new TypeError('gone')))).rejects.toThrow('gone')
    expect(await received.of(() => Promise.resolve(Buffer.from('x')))).toEqual(Buffer.from('x'))
  })
})
