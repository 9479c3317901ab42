import { renderCompletion, readElement, requireNoError, unreadable } from './s3-store-answers.ts'
import type { S3Requests } from './s3-store-requests.ts'

/** S3's own bound. */
const MAX_PARTS = 10_000

/** A file that is stored. */
export interface UploadTask {
  readonly key: string
  /** What it does, for errors. */
  readonly what: string
  readonly chunks: AsyncIterable<Uint8Array>
  readonly partBytes: number
  readonly signal: AbortSignal | undefined
}

/** Stores an object whole or not at all: in one request, or in parts that become an object by the last request. */
export async function upload(requests: S3Requests, task: UploadTask): Promise<void> {
  const parts = partsOf(task.chunks, task.partBytes)
  try {
    const first = await parts.next()
    const second = await parts.next()
    const body = first.value ?? Buffer.alloc(0)
    if (second.done === true) return await requests.ask({ method: 'PUT', what: task.what, key: task.key, body }, task.signal, () => {})
    await uploadParts(requests, task, [body, second.value], parts)
  } finally {
    await parts.return(undefined)
  }
}

async function uploadParts(requests: S3Requests, { key, what, signal }: UploadTask, first: Buffer[], rest: AsyncIterable<Buffer>): Promise<void> {
  const uploadId = await requests.ask({ method: 'POST', what, key, query: { uploads: '' } }, signal, ({ text }) => readElement(text, 'UploadId') ?? '')
  const tags: string[] = []
  const send = async (body: Buffer): Promise<void> => {
    if (tags.length === MAX_PARTS) throw unreadable(what, `it is longer than ${MAX_PARTS} parts; raise partBytes`)
    const query = { partNumber: String(tags.length + 1), uploadId }
    tags.push(await requests.ask({ method: 'PUT', what, key, query, body }, signal, ({ headers }) => String(headers['etag'] ?? '')))
  }
  try {
    for (const body of first.splice(0)) await send(body)
    for await (const body of rest) await send(body)
    const completion = Buffer.from(renderCompletion(tags))
    await requests.ask({ method: 'POST', what, key, query: { uploadId }, body: completion }, signal, ({ text }) => requireNoError(text, what))
  } catch (error) {
    // Parts that no object is made of are stored, and paid for, until they are removed. Whoever has left is not waited for.
    await requests.ask({ method: 'DELETE', what: 'remove parts', key, query: { uploadId } }, undefined, () => {}).catch(() => {})
    throw error
  }
}

/**
 * Pieces of one size, but for the last; at least one. They take turns in two buffers, and memory doesn't wait for the garbage collector: whoever asks for the next but one is
 * done with a piece.
 */
async function* partsOf(chunks: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer, undefined> {
  let filling: Buffer = Buffer.alloc(0)
  let spare: Buffer | undefined
  let bytes = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      if (bytes === partBytes) {
        yield filling
        ;[filling, spare] = [spare ?? Buffer.allocUnsafeSlow(partBytes), filling]
        bytes = 0
      }
      const taken = chunk.subarray(at, at + partBytes - bytes)
      filling = withRoomFor(filling, bytes + taken.length, partBytes)
      filling.set(taken, bytes)
      bytes += taken.length
      at += taken.length
    }
  }
  yield filling.subarray(0, bytes)
}

/** The buffer, or its content in a larger one: most files are small. */
function withRoomFor(buffer: Buffer, bytes: number, most: number): Buffer {
  if (buffer.length >= bytes) return buffer
  const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(bytes, 2 * buffer.length)))
  larger.set(buffer)
  return larger
}
