import type { Dispatcher } from 'undici'
import { BackupError } from '../operational-errors.ts'
import { brokenBy, unreadable } from './s3-store-answers.ts'
import type { S3Requests } from './s3-store-requests.ts'

/** An object that is read. */
export interface ReadTask {
  readonly key: string
  /** What it does, for errors. */
  readonly what: string
  readonly maxAttempts: number
  readonly signal: AbortSignal | undefined
}

/** Where a reading stands. */
interface Progress {
  /** Bytes that were handed on. */
  offset: number
  /** The object's length; not known before the first answer. */
  bytes: number
  /** Which object it is: one that is put in its place meanwhile is not the rest of it. */
  tag: string
  /** Answers in a row that broke off without giving anything. */
  broken: number
}

/** An object's bytes, a piece at a time. An answer that breaks off is gone on with where it did. */
export async function* readObject(requests: S3Requests, task: ReadTask): AsyncIterable<Uint8Array> {
  const leaving = new AbortController()
  const signal = task.signal === undefined ? leaving.signal : AbortSignal.any([task.signal, leaving.signal])
  const progress: Progress = { offset: 0, bytes: -1, tag: '', broken: 0 }
  try {
    while (progress.offset !== progress.bytes) yield* piecesOf(requests, await openAt(requests, task, progress, signal), task, progress, signal)
  } finally {
    leaving.abort()
  }
}

async function openAt(requests: S3Requests, { key, what }: ReadTask, progress: Progress, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  const rest = { range: `bytes=${progress.offset}-`, 'if-match': progress.tag }
  const answer = await requests.open({ method: 'GET', what, key, ...(progress.offset === 0 ? {} : { headers: rest }) }, signal)
  const { 'content-length': length = '', etag = '' } = answer.headers
  const bytes = progress.offset + Number(length)
  const isWhole = /^\d+$/.test(String(length)) && (progress.bytes === -1 || progress.bytes === bytes)
  if (!isWhole || (progress.offset > 0 && answer.statusCode !== 206)) throw unreadable(what, 'its answer is not what is left of it')
  Object.assign(progress, { bytes, tag: String(etag) })
  return answer
}

async function* piecesOf(requests: S3Requests, { body }: Dispatcher.ResponseData, { what, maxAttempts }: ReadTask, progress: Progress, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const pieces = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  for (;;) {
    const step = await requests.within(what, signal, () => pieces.next()).catch((error: unknown) => brokenOff(error, what, maxAttempts, progress, signal))
    if (step === null || step.done === true) return
    progress.offset += step.value.length
    progress.broken = 0
    yield step.value
  }
}

/** Null when the rest may be asked for. */
function brokenOff(error: unknown, what: string, maxAttempts: number, progress: Progress, signal: AbortSignal): null {
  const broken = signal.aborted ? error : brokenBy(what, error)
  progress.broken += 1
  if (BackupError.isInstance(broken) && broken.retryable && progress.broken < maxAttempts && progress.tag !== '') return null
  throw broken
}
