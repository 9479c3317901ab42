import { crc32 } from 'node:zlib'
import { ValidationError } from '@smart-whale/interfaces'
import type { PipelineErrorCode } from '../../errors.ts'

/** What a token stands for: the records of one topic up to these offsets, for the pipeline that stores them. */
export interface FreshnessTarget {
  readonly pipeline: string
  readonly topic: string
  /** A topic that was deleted and made again has another. */
  readonly topicId: string
  /** Partition to the last of the records' offsets in it. */
  readonly offsets: ReadonlyMap<number, bigint>
}

/** Longest token that is read: it goes into a header, and those have 16 KiB together. */
export const MAX_TOKEN_LENGTH = 12_288
const MAX_PARTITIONS = 1_000
const VERSION = 1
const PREFIX = 'swf1.'

/** The target as an opaque text of letters, digits, "-", "_" and ".". */
export function encodeFreshnessToken({ pipeline, topic, topicId, offsets }: FreshnessTarget): string {
  const bytes: number[] = [VERSION]
  for (const text of [pipeline, topic, topicId]) writeText(bytes, text)
  writeNumber(bytes, BigInt(offsets.size))
  for (const [partition, offset] of offsets) {
    writeNumber(bytes, BigInt(partition))
    writeNumber(bytes, offset)
  }
  const body = Buffer.from(bytes)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return `${PREFIX}${Buffer.concat([sum, body]).toString('base64url')}`
}

/** What a token stands for. @throws ValidationError `ERR_MESSAGING_FRESHNESS_TOKEN` for what isn't one, or was cut or changed on its way */
export function decodeFreshnessToken(token: string): FreshnessTarget {
  if (token.length > MAX_TOKEN_LENGTH || !token.startsWith(PREFIX) || !/^[\w-]+$/.test(token.slice(PREFIX.length))) throw wrongToken()
  const bytes = Buffer.from(token.slice(PREFIX.length), 'base64url')
  const body = bytes.subarray(4)
  if (bytes.length < 9 || crc32(body) !== bytes.readUInt32BE(0) || body[0] !== VERSION) throw wrongToken()
  const reader = new TokenReader(body.subarray(1))
  const [pipeline, topic, topicId] = [reader.text(), reader.text(), reader.text()]
  const size = Number(reader.number())
  if (size < 1 || size > MAX_PARTITIONS) throw wrongToken()
  const offsets = new Map<number, bigint>()
  for (let index = 0; index < size; index++) offsets.set(Number(reader.number()), reader.number())
  if (!reader.isAtEnd) throw wrongToken()
  return { pipeline, topic, topicId, offsets }
}

function writeText(bytes: number[], text: string): void {
  const encoded = Buffer.from(text, 'utf8')
  writeNumber(bytes, BigInt(encoded.length))
  bytes.push(...encoded)
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function writeNumber(bytes: number[], value: bigint): void {
  let left = value
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128)
  bytes.push(Number(left))
}

class TokenReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  text(): string {
    const length = Number(this.number())
    const end = this.#at + length
    if (end > this.#bytes.length) throw wrongToken()
    const text = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end
    return text
  }

  number(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw wrongToken()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
    throw wrongToken()
  }
}

function wrongToken(): ValidationError<PipelineErrorCode> {
  return new ValidationError<PipelineErrorCode>('this is no freshness token, or not all of it: give what POST /ingest answered, unchanged', {
    code: 'ERR_MESSAGING_FRESHNESS_TOKEN',
    issues: [{ path: ['token'], message: 'must be what POST /ingest answered' }],
  })
}
