import { DEAD_LETTER_HEADERS, type DeadLetterReason, deadLetterTopic } from '../dead-letter.ts'
import { messagingTimeout, topicNotFound } from '../errors.ts'
import type { BoundsOptions, MessagingTransport, RecordBatch, RecordPosition, TransportCallOptions } from '../transport.ts'
import { letterVersion, type VersionOfLetter } from './letter-version.ts'
import { textOf } from './text-of.ts'

/** Where a dead letter was before it died. */
export interface DeadLetterOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Milliseconds since the epoch; when the original record was sent. */
  readonly timestamp: number
}

/** A record of a dead-letter topic: what could not be handled, byte for byte, and why. */
export interface DeadLetter {
  /** Where the letter itself lies in the dead-letter topic. */
  readonly position: RecordPosition
  /** Null for a record that somebody else put there. */
  readonly origin: DeadLetterOrigin | null
  readonly reason: DeadLetterReason
  /** Of the event, where its producer said; else null. */
  readonly schemaVersion: string | null
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** As the original record had them: the letter's own are left out. */
  readonly headers: Readonly<Record<string, Uint8Array>>
  /** When it became a dead letter, in milliseconds since the epoch. */
  readonly timestamp: number
}

/** How dead letters are read. */
export interface ReadDeadLettersOptions extends TransportCallOptions {
  /** How many bytes are read at once; a larger letter comes alone. @default 4194304 */
  batchBytes?: number | undefined
  /** Where events say their schema version; see `letterVersion`. @default the header `schema-version` */
  versionOf?: VersionOfLetter | undefined
}

const OWN_HEADERS = new Set<string>(Object.values(DEAD_LETTER_HEADERS))

/**
 * The dead letters of a topic as they are now, partition by partition in their order; those that come meanwhile are left for the next time.
 *
 * @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND` when the topic has no dead letters' topic
 */
export async function* readDeadLetters(transport: MessagingTransport, topic: string, options: ReadDeadLettersOptions = {}): AsyncGenerator<DeadLetter> {
  const { batchBytes = 4 * 1024 * 1024, versionOf = letterVersion(), ...call } = options
  const letters = deadLetterTopic(topic)
  const description = await transport.topics.describe(letters, call)
  if (description === null) throw topicNotFound(letters)
  for (let partition = 0; partition < description.partitions; partition++) {
    for await (const batch of recordsFrom(transport, { topic: letters, partition }, { batchBytes, ...call })) {
      for (let index = 0; index < batch.length; index++) yield deadLetterAt(batch, index, versionOf)
    }
  }
}

/** Where to read records from. */
export interface RecordSource {
  readonly topic: string
  readonly partition: number
  /** First offset to read. @default the earliest that is there */
  readonly from?: bigint
}

/** Reads of a second without anything new, after which whoever reads is told: somebody's transaction doesn't end. */
const MOST_IDLE_READS = 30

/**
 * The batches of a partition up to where it ends now. `withOpen` counts what is being sent in transactions as well, and waits for their ends.
 *
 * @throws TimeoutError `ERR_MESSAGING_TIMEOUT` when one doesn't end
 */
export async function* recordsFrom(transport: MessagingTransport, { topic, partition, from }: RecordSource, options: BoundsOptions & { batchBytes: number }): AsyncGenerator<RecordBatch> {
  const { batchBytes, withOpen, ...call } = options
  const reader = await transport.openPartition(topic, partition, call)
  try {
    const { earliest, latest } = await reader.bounds({ ...call, withOpen })
    let idleReads = 0
    let next = from === undefined || from < earliest ? earliest : from
    if (next < latest) reader.seek(next)
    while (next < latest) {
      const batch = await reader.read({ maxBytes: batchBytes, maxRecords: 10_000, maxWaitMs: 1000, signal: call.signal })
      yield batch
      idleReads = batch.nextOffset === next ? idleReads + 1 : 0
      if (idleReads > MOST_IDLE_READS) throw messagingTimeout(`reading partition ${partition} of topic "${topic}" behind a transaction that is open`, MOST_IDLE_READS * 1000, { topic, partition })
      next = batch.nextOffset
    }
  } finally {
    await reader.close()
  }
}

function deadLetterAt(batch: RecordBatch, index: number, versionOf: VersionOfLetter): DeadLetter {
  const all = batch.headersAt(index)
  const value = batch.valueAt(index)
  const headers = Object.fromEntries(Object.entries(all).filter(([name]) => !OWN_HEADERS.has(name)))
  return {
    position: { partition: batch.partition, offset: batch.offsetAt(index) },
    origin: originOf(all),
    reason: { code: textOf(all[DEAD_LETTER_HEADERS.reasonCode]) ?? 'unknown', message: textOf(all[DEAD_LETTER_HEADERS.reason]) ?? '' },
    schemaVersion: versionOf({ headers, value }),
    key: batch.keyAt(index),
    value,
    headers,
    timestamp: batch.timestampAt(index),
  }
}

function originOf(headers: Readonly<Record<string, Uint8Array>>): DeadLetterOrigin | null {
  const [topic, partition, offset, timestamp] = (['topic', 'partition', 'offset', 'timestamp'] as const).map((name) => textOf(headers[DEAD_LETTER_HEADERS[name]]))
  if (topic === null || topic === undefined || !isDigits(partition) || !isDigits(offset)) return null
  return { topic, partition: Number(partition), offset: BigInt(offset), timestamp: Number(timestamp ?? 0) }
}

const isDigits = (text: string | null | undefined): text is string => typeof text === 'string' && /^\d{1,19}$/.test(text)
