import { DEAD_LETTER_HEADERS, deadLetterRecord } from '../dead-letter.ts'
import { VarintCursor } from '../kafka/protocol/records/varint-cursor.ts'
import { varintSize, writeVarint } from '../kafka/protocol/records/varint.ts'
import type { OutgoingRecord, RecordPlace } from '../transport.ts'
import type { LetterSource } from './letter-origin.ts'
import type { SliceRecord } from './slice-records.ts'
import { type Envelope, type LetterContent, WrittenLetter } from './written-letter.ts'

/** Headers that a letter gets beside its record's own: code, reason, topic, partition, offset, timestamp and group. */
const ADDED_HEADERS = 7
/** Begins the names of these. A record that has such a name was a letter before. */
const ADDED_NAMES = Buffer.from('smartwhale-dlq-')
/** A record with more headers is taken apart: whether a name comes twice is looked for pair by pair. */
const MOST_HEADERS = 8
/** Envelopes of a code that are kept. What a flood dies of has few reasons. */
const MOST_ENVELOPES = 500

const NOTHING = Buffer.alloc(0)

interface Name {
  readonly at: number
  readonly length: number
}

type CommonEnvelope = Omit<Envelope, 'reason'>

/**
 * Makes the dead letters of one partition. Where a record lies as Kafka wrote it, its letter is a copy of it with headers behind that were written
 * once for all letters of the reason: a bad event in ten would otherwise take more work than the nine good ones.
 */
export class LetterWriter {
  readonly #source: LetterSource
  readonly #common: CommonEnvelope
  /** By code and reason. */
  readonly #envelopes = new Map<string, Map<string, Envelope>>()
  /** Of the latest record. */
  readonly #content: { -readonly [K in keyof LetterContent]: LetterContent[K] } & RecordPlace = { bytes: NOTHING, keyStart: 0, keyLength: 0, headersStart: 0, keptStart: 0, end: 0, headers: 0, offset: 0, timestamp: 0 }
  /** Of its headers. */
  readonly #names: Name[] = []
  /** Over the bytes that the latest record lies in. */
  #cursor: { readonly over: Buffer; readonly varints: VarintCursor } | null = null

  constructor(source: LetterSource) {
    this.#source = source
    this.#common = {
      source: Buffer.concat([header(DEAD_LETTER_HEADERS.topic, source.topic), header(DEAD_LETTER_HEADERS.partition, String(source.partition))]),
      offsetName: text(DEAD_LETTER_HEADERS.offset),
      timestampName: text(DEAD_LETTER_HEADERS.timestamp),
      group: header(DEAD_LETTER_HEADERS.group, source.groupId),
    }
  }

  /** @param partition that the letters go to */
  lettersOf(records: readonly SliceRecord[], partition: number): OutgoingRecord[] {
    const letters = records.map((record) => this.#letterOf(record, partition))
    // What was fetched is not held any longer than its letters are.
    this.#content.bytes = NOTHING
    this.#cursor = null
    return letters
  }

  #letterOf(record: SliceRecord, partition: number): OutgoingRecord {
    if (!this.#locate(record)) return { ...this.#partsOf(record), partition }
    const { code, reason } = reasonOf(record)
    return new WrittenLetter(record, { content: this.#content, envelope: this.#envelopeOf(code, reason), partition, partsOf: this.#partsOf })
  }

  readonly #partsOf = (record: SliceRecord): OutgoingRecord => {
    const { batch, index, offset } = record
    const origin = { topic: batch.topic, partition: batch.partition, offset }
    const failed = { ...origin, key: batch.keyAt(index), value: batch.valueAt(index), headers: batch.headersAt(index), timestamp: batch.timestampAt(index) }
    const { code, reason } = reasonOf(record)
    return deadLetterRecord(failed, { code, message: reason, groupId: this.#source.groupId })
  }

  /** Whether the record lies so that it can be copied; `#content` says where. */
  #locate({ batch, index, offset }: SliceRecord): boolean {
    if (batch.locateRecord === undefined) return false
    const content = this.#content
    content.offset = Number(offset)
    content.timestamp = batch.timestampAt(index)
    if (!Number.isSafeInteger(content.offset) || !Number.isSafeInteger(content.timestamp) || content.timestamp < 0) return false
    batch.locateRecord(index, content)
    return this.#locateHeaders()
  }

  /** False for headers that a letter has otherwise than its record: a name once, a value for each, and the newest reason and origin alone. */
  #locateHeaders(): boolean {
    const { bytes, headersStart } = this.#content
    if (this.#cursor?.over !== bytes) this.#cursor = { over: bytes, varints: new VarintCursor(bytes) }
    const { varints } = this.#cursor
    varints.at = headersStart
    const count = varints.next()
    if (count > MOST_HEADERS) return false
    this.#content.keptStart = varints.at
    this.#content.headers = count + ADDED_HEADERS
    for (let rest = count; rest > 0; rest--) {
      const length = varints.next()
      const { at } = varints
      if (isAdded(bytes, at, length) || this.#hasBefore(count - rest, at, length)) return false
      varints.at += length
      const valueLength = varints.next()
      if (valueLength < 0) return false
      varints.at += valueLength
      if (rest > 1) this.#names[count - rest] = { at, length }
    }
    return true
  }

  /** Whether one of the first names is this one as well. */
  #hasBefore(first: number, at: number, length: number): boolean {
    const { bytes } = this.#content
    for (let index = 0; index < first; index++) {
      const name = this.#names[index] as Name
      if (name.length === length && bytes.compare(bytes, name.at, name.at + length, at, at + length) === 0) return true
    }
    return false
  }

  #envelopeOf(code: string, reason: string): Envelope {
    const known = this.#envelopes.get(code)?.get(reason)
    if (known !== undefined) return known
    // As a letter has it that is made of its parts: long reasons are cut there.
    const { headers } = deadLetterRecord({ ...this.#source, offset: 0n, key: null, value: null, headers: {}, timestamp: 0 }, { code, message: reason })
    const [codeName, reasonName] = [DEAD_LETTER_HEADERS.reasonCode, DEAD_LETTER_HEADERS.reason]
    const envelope = { ...this.#common, reason: Buffer.concat([header(codeName, String(headers?.[codeName])), header(reasonName, String(headers?.[reasonName]))]) }
    const ofCode = this.#envelopes.get(code)
    if (ofCode === undefined || ofCode.size >= MOST_ENVELOPES) this.#envelopes.set(code, new Map([[reason, envelope]]))
    else ofCode.set(reason, envelope)
    return envelope
  }
}

/** Why a record is given up. */
function reasonOf({ refusal }: SliceRecord): { readonly code: string; readonly reason: string } {
  return refusal ?? { code: 'invalid', reason: '' }
}

/** A text as Kafka writes it: behind its length. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const written = Buffer.alloc(varintSize(bytes.length) + bytes.length)
  bytes.copy(written, writeVarint(written, 0, bytes.length))
  return written
}

const header = (name: string, value: string): Buffer => Buffer.concat([text(name), text(value)])

function isAdded(bytes: Buffer, at: number, length: number): boolean {
  return length > ADDED_NAMES.length && bytes[at] === ADDED_NAMES[0] && bytes.compare(ADDED_NAMES, 0, ADDED_NAMES.length, at, at + ADDED_NAMES.length) === 0
}
