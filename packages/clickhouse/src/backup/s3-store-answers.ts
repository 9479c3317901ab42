import { parseRetryAfter } from '@smart-whale/core-resilience'
import { InfrastructureError } from '@smart-whale/interfaces'
import { BackupError } from '../operational-errors.ts'
import type { StoredFile } from './backup-store.ts'

/** What is read of an answer's head. */
export type AnswerHead = Readonly<Record<string, string | string[] | undefined>>

/** One page of a list of objects. */
export interface ListedPage {
  readonly files: readonly StoredFile[]
  /** What the next page is asked for by. */
  readonly next: string | undefined
}

/** Reads a page of `ListObjectsV2`. @throws BackupError when it is something else: an error page of a proxy is no empty bucket */
export function readPage(text: string, what: string): ListedPage {
  if (!text.includes('<ListBucketResult')) throw unreadable(what, 'the answer is no list of objects; look at the endpoint')
  const files = [...text.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, object = '']) => ({ name: readElement(object, 'Key') ?? '', bytes: Number(readElement(object, 'Size') ?? Number.NaN) }))
  if (files.some(({ name, bytes }) => name === '' || !Number.isSafeInteger(bytes))) throw unreadable(what, 'the list of objects lacks names or sizes')
  const next = readElement(text, 'NextContinuationToken')
  if (readElement(text, 'IsTruncated') !== 'true') return { files, next: undefined }
  if (next === undefined) throw unreadable(what, 'the list of objects is cut off and does not say how it goes on')
  return { files, next }
}

/** The text of an answer's first element of that name. */
export function readElement(text: string, name: string): string | undefined {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
  return found === undefined ? undefined : unescapeXml(found)
}

/** A change that has its own outcome inside of an answer that says 200. @throws BackupError when it failed */
export function requireNoError(text: string, what: string): void {
  if (/<Error>/.test(text)) throw refusedBy(what, 200, {}, text, 0)
}

/** The body that asks for the removal of objects. */
export function renderRemoval(keys: readonly string[]): string {
  return `<Delete><Quiet>true</Quiet>${keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('')}</Delete>`
}

/** The body that makes one object of its parts. */
export function renderCompletion(tags: readonly string[]): string {
  const parts = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`)
  return `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
}

/** Failures of the server that pass. */
const PASSING = new Set(['InternalError', 'SlowDown', 'ServiceUnavailable', 'RequestTimeout', 'OperationAborted', 'TooManyRequests'])

/** What is told of an object that isn't there; other things that can't be found are no backups. */
const IS_GONE = new Set(['NoSuchKey', 'NotFound', 'HTTP 404'])

/** An answer that is a refusal. Of its text only the code is told: what else stands there may quote the signed request. */
export function refusedBy(what: string, status: number, head: AnswerHead, text: string, nowMs: number): BackupError {
  const code = readElement(text, 'Code')?.replace(/[^\w.-]/g, '').slice(0, 100) ?? `HTTP ${status}`
  const region = head['x-amz-bucket-region']
  const retryAfterMs = parseRetryAfter(String(head['retry-after'] ?? ''), nowMs)
  const isGone = status === 404 && IS_GONE.has(code)
  return new BackupError(`the place of the backups can't ${what}: ${code}${adviceFor(status, code, region)}`, {
    code: isGone ? 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND' : 'ERR_CLICKHOUSE_BACKUP_STORE',
    retryable: PASSING.has(code) || status === 429 || (status >= 500 && status !== 501),
    context: { systemCode: code, httpStatus: status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  })
}

function adviceFor(status: number, code: string, region: string | string[] | undefined): string {
  if (code === 'NoSuchBucket') return '; there is no such bucket: make it, or look at the endpoint and the addressing'
  if (status === 301 || status === 307 || code === 'AuthorizationHeaderMalformed') return `; the bucket is elsewhere: look at the endpoint and the region${region === undefined ? '' : `, which it says is ${String(region)}`}`
  if (status === 401 || status === 403) return '; look at the credentials, their rights to the bucket, and the clock of this machine'
  return ''
}

/** Failures of the network that pass; those of certificates come again. */
const NETWORK = /^(?:ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|UND_ERR_)/

/** A failure below HTTP becomes ours; what came from elsewhere stays what it is. */
export function brokenBy(what: string, error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown }
  if (typeof code !== 'string' || InfrastructureError.isInstance(error)) return error
  return new BackupError(`the place of the backups can't ${what}: ${code}; look at the endpoint, and whether its server is up`, {
    code: 'ERR_CLICKHOUSE_BACKUP_STORE',
    retryable: NETWORK.test(code),
    cause: error,
    context: { systemCode: code },
  })
}

/** An answer that doesn't read as S3's. */
export function unreadable(what: string, why: string): BackupError {
  return new BackupError(`the place of the backups can't ${what}: ${why}`, { code: 'ERR_CLICKHOUSE_BACKUP_STORE' })
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,4}));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? whole
    const point = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    return point <= 0x10_ff_ff ? String.fromCodePoint(point) : whole
  })
}

function escapeXml(text: string): string {
  // Control characters as well: a line end would be read as another one.
  return text.replace(/[&<>"']|\p{Cc}/gu, (character) => `&#${character.codePointAt(0)};`)
}
