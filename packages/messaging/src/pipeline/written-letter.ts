import { varintSize, writeVarint } from '../kafka/protocol/records/varint.ts'
import type { OutgoingRecord, RecordPlace, WrittenContent } from '../transport.ts'
import type { SliceRecord } from './slice-records.ts'

/** What is written once for many letters: headers, and the names of those whose values differ. */
export interface Envelope {
  /** Code and reason. */
  readonly reason: Buffer
  /** Topic and partition. */
  readonly source: Buffer
  readonly offsetName: Buffer
  readonly timestampName: Buffer
  readonly group: Buffer
}

/** Where a letter's record lies, and what is told of it. */
export interface LetterContent extends Readonly<RecordPlace> {
  /** Where its own headers begin, behind their number. */
  readonly keptStart: number
  /** Headers in all, with the added ones. */
  readonly headers: number
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** What a letter is made with. */
export interface LetterOptions {
  /** Where its record lies; read at once. @default none, required */
  readonly content: LetterContent
  /** What is told of it in words that others have as well. @default none, required */
  readonly envelope: Envelope
  /** Where it goes. @default none, required */
  readonly partition: number
  /** Makes the same letter of its parts. @default none, required */
  readonly partsOf: (record: SliceRecord) => OutgoingRecord
}

/** A dead letter that is copied from its record when it leaves. Its parts are made for those who ask for them. */
export class WrittenLetter implements OutgoingRecord, WrittenContent {
  readonly partition: number
  readonly bytes: number
  readonly #envelope: Envelope
  readonly #record: SliceRecord
  readonly #partsOf: LetterOptions['partsOf']
  readonly #source: Buffer
  readonly #keyStart: number
  readonly #keyLength: number
  readonly #headersStart: number
  readonly #keptStart: number
  readonly #end: number
  readonly #headers: number
  readonly #offset: number
  readonly #timestamp: number
  #made: OutgoingRecord | null = null

  constructor(record: SliceRecord, { content, envelope, partition, partsOf }: LetterOptions) {
    this.partition = partition
    this.#envelope = envelope
    this.#record = record
    this.#partsOf = partsOf
    this.#source = content.bytes
    this.#keyStart = content.keyStart
    this.#keyLength = content.keyLength
    this.#headersStart = content.headersStart
    this.#keptStart = content.keptStart
    this.#end = content.end
    this.#headers = content.headers
    this.#offset = content.offset
    this.#timestamp = content.timestamp
    this.bytes = this.#measure()
  }

  get content(): WrittenContent {
    return this
  }

  get key(): OutgoingRecord['key'] {
    return this.#parts.key
  }

  get value(): OutgoingRecord['value'] {
    return this.#parts.value
  }

  get headers(): OutgoingRecord['headers'] {
    return this.#parts.headers
  }

  write(target: Uint8Array, start: number): number {
    if (this.#end > this.#source.length) throw new RangeError(`the record at offset ${this.#offset} was released before its letter left`)
    const { reason, source, offsetName, timestampName, group } = this.#envelope
    // Behind the key's length all lies as it has to lie: the key, the value's length and the value.
    let at = writeVarint(target, start, this.#keyLength)
    at = copyBytes(this.#source, this.#keyStart, this.#headersStart, target, at)
    at = writeVarint(target, at, this.#headers)
    at = copyBytes(this.#source, this.#keptStart, this.#end, target, at)
    at = copyBytes(reason, 0, reason.length, target, at)
    at = copyBytes(source, 0, source.length, target, at)
    at = copyBytes(offsetName, 0, offsetName.length, target, at)
    at = writeNumber(target, at, this.#offset)
    at = copyBytes(timestampName, 0, timestampName.length, target, at)
    at = writeNumber(target, at, this.#timestamp)
    return copyBytes(group, 0, group.length, target, at)
  }

  get #parts(): OutgoingRecord {
    this.#made ??= this.#partsOf(this.#record)
    return this.#made
  }

  #measure(): number {
    const { reason, source, offsetName, timestampName, group } = this.#envelope
    const own = varintSize(this.#keyLength) + this.#headersStart - this.#keyStart + varintSize(this.#headers) + this.#end - this.#keptStart
    return own + reason.length + source.length + offsetName.length + numberSize(this.#offset) + timestampName.length + numberSize(this.#timestamp) + group.length
  }
}

/** Up to this many bytes a loop is quicker than a call out of the JavaScript engine. */
const FEW = 48

function copyBytes(source: Buffer, from: number, to: number, target: Uint8Array, at: number): number {
  const length = to - from
  if (length > FEW) source.copy(target, at, from, to)
  else for (let index = 0; index < length; index++) target[at + index] = source[from + index] as number
  return at + length
}

/** A header's value that is the text of a number from 0: its length, and its digits. */
function writeNumber(target: Uint8Array, start: number, value: number): number {
  const digits = digitsOf(value)
  const at = writeVarint(target, start, digits)
  let rest = value
  for (let place = at + digits - 1; place >= at; place--) {
    const tens = Math.floor(rest / 10)
    target[place] = 0x30 + (rest - tens * 10)
    rest = tens
  }
  return at + digits
}

function numberSize(value: number): number {
  const digits = digitsOf(value)
  return varintSize(digits) + digits
}

function digitsOf(value: number): number {
  let digits = 1
  for (let bound = 10; value >= bound; bound *= 10) digits++
  return digits
}
