import { randomUUID } from 'node:crypto'
import { type AuditSink, type Logger, silentAudit, silentLogger } from '@smart-whale/interfaces'
import { RETRY_HEADERS } from '../consume/retry-topic.ts'
import { deadLetterTopic } from '../dead-letter.ts'
import { topicNotFound } from '../errors.ts'
import { EXPIRES_HEADER } from '../message-expiry.ts'
import type { MessagingTransport, OutgoingRecord, TransportCallOptions } from '../transport.ts'
import { findReplayed, REPLAY_OF_HEADER, replayMark } from './find-replayed.ts'
import { holdJournal } from './hold-journal.ts'
import { judgeLetter, type LetterDecoder } from './judge-letter.ts'
import type { VersionOfLetter } from './letter-version.ts'
import { type DeadLetterPatch, patchedValue, patchName } from './patch-dead-letter.ts'
import { type DeadLetter, readDeadLetters } from './read-dead-letters.ts'
import type { ReplayIntent, ReplayJournal } from './replay-journal.ts'
import { deadLetterFilter, type DeadLetterSelection, placeOf } from './select-dead-letters.ts'

/** Which letters are sent again, and how. */
export interface ReplayOptions extends TransportCallOptions {
  /** Topic whose dead letters are meant; they go back into it. @default none, required */
  topic: string
  /** Which of them. @default all that are not settled */
  select?: DeadLetterSelection | undefined
  /** Mends each before it is sent. @default they go as they are */
  patch?: DeadLetterPatch | undefined
  /** Reads a value as the pipeline would: letters that would die again stay where they are. @default none is held back */
  decode?: LetterDecoder | undefined
  /** Where events say their schema version, for the selection; see `letterVersion`. @default the header `schema-version` */
  versionOf?: VersionOfLetter | undefined
  /** Only tells what would be done. @default false */
  dryRun?: boolean | undefined
  /** Who does it, for the journal and the audit. @default 'unknown' */
  by?: string | undefined
  /** Where the audit entry goes. @default nowhere */
  audit?: AuditSink | undefined
  /** Letters that are sent under one entry of the journal. @default 500 */
  batchSize?: number | undefined
  /** Told after each batch how many have been sent. @default nobody is told */
  onProgress?: ((sent: number) => void) | undefined
  /** Where the replay logs. @default silent */
  logger?: Logger | undefined
}

/** What a replay did, or would do. */
export interface ReplayReport {
  readonly topic: string
  readonly isDryRun: boolean
  /** Letters that the selection meets. */
  readonly selected: number
  /** Sent now (or to be sent, in a dry run). */
  readonly sent: number
  /** Not sent: an earlier replay had sent or dropped them. */
  readonly settledBefore: number
  /** Not sent: today's definition would refuse them, or the patch left them out. */
  readonly stillBad: number
  /** The first of those, with what is wrong with them. */
  readonly stillBadExamples: readonly { readonly place: string; readonly reason: string }[]
}

const MAX_EXAMPLES = 20

/**
 * Sends dead letters back into their topic, each at most once, however often this is called and wherever it dies.
 *
 * Each batch is written into the journal before it is sent, with where the topic ended then. A replay that finds a batch whose outcome isn't
 * written looks behind that mark for what did arrive, and settles it first. Only one replay of a topic runs at a time.
 *
 * @throws OperationError `ERR_MESSAGING_REPLAY_BUSY` while another replay of the topic is running
 */
export async function replayDeadLetters(transport: MessagingTransport, options: ReplayOptions): Promise<ReplayReport> {
  const { topic, dryRun = false, by = 'unknown', audit = silentAudit, logger = silentLogger } = options
  const call: TransportCallOptions = { signal: options.signal, timeoutMs: options.timeoutMs }
  if ((await transport.topics.describe(deadLetterTopic(topic), call)) === null) throw topicNotFound(deadLetterTopic(topic))
  const report = await holdJournal(transport, topic, call, async (journal, held) => {
    const replay = new Replay(transport, journal, options, held)
    await replay.finishEarlier()
    return replay.run()
  })
  logger.info({ topic, isDryRun: dryRun, selected: report.selected, sent: report.sent, stillBad: report.stillBad }, 'dead letters replayed')
  if (!dryRun) await audit.record({ action: 'dead-letters.replay', actor: by, resource: topic, outcome: 'success', details: { sent: report.sent, patch: patchName(options.patch) } })
  return report
}

const HISTORY = new Set<string>([EXPIRES_HEADER, ...Object.values(RETRY_HEADERS)])

/** A message that is sent again begins anew: it hasn't expired, and its tries aren't used up. */
function withoutHistory(headers: DeadLetter['headers']): DeadLetter['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HISTORY.has(name)))
}

/** One run, while the journal is held. */
class Replay {
  readonly #transport: MessagingTransport
  readonly #journal: ReplayJournal
  readonly #options: ReplayOptions
  readonly #call: TransportCallOptions
  readonly #counts = { selected: 0, sent: 0, settledBefore: 0, stillBad: 0 }
  readonly #examples: { place: string; reason: string }[] = []

  constructor(transport: MessagingTransport, journal: ReplayJournal, options: ReplayOptions, call: TransportCallOptions) {
    this.#transport = transport
    this.#journal = journal
    this.#options = options
    this.#call = call
  }

  /** Settles what an earlier run left open. Nothing is sent for that. */
  async finishEarlier(): Promise<void> {
    for (const intent of [...this.#journal.state.open.values()]) await this.#settle(intent)
  }

  async run(): Promise<ReplayReport> {
    const { topic, select = {}, dryRun = false, batchSize = 500 } = this.#options
    const isSelected = deadLetterFilter(select)
    let batch: { letter: DeadLetter; record: OutgoingRecord }[] = []
    for await (const letter of readDeadLetters(this.#transport, topic, { versionOf: this.#options.versionOf, ...this.#call })) {
      if (!isSelected(letter)) continue
      this.#counts.selected++
      const record = this.#recordOf(letter)
      if (record !== null) batch.push({ letter, record })
      if (batch.length < batchSize) continue
      await this.#send(batch, dryRun)
      batch = []
    }
    await this.#send(batch, dryRun)
    return { topic, isDryRun: dryRun, ...this.#counts, stillBadExamples: this.#examples }
  }

  /** The record to send for a letter; null when it isn't to be sent. */
  #recordOf(letter: DeadLetter): OutgoingRecord | null {
    const place = placeOf(letter.position)
    if (this.#journal.state.settled.has(place)) {
      this.#counts.settledBefore++
      return null
    }
    const patched = patchedValue(letter, this.#options.patch)
    const { decode } = this.#options
    const refusal = patched === null ? { reason: 'the patch leaves it where it is' } : decode === undefined ? null : judgeLetter(decode, letter, patched.value)
    if (patched === null || refusal !== null) {
      this.#counts.stillBad++
      if (this.#examples.length < MAX_EXAMPLES) this.#examples.push({ place, reason: refusal?.reason ?? '' })
      return null
    }
    return { key: letter.key, value: patched.value, headers: { ...withoutHistory(letter.headers), [REPLAY_OF_HEADER]: replayMark(this.#options.topic, place) } }
  }

  async #send(batch: readonly { letter: DeadLetter; record: OutgoingRecord }[], dryRun: boolean): Promise<void> {
    if (batch.length === 0) return
    if (!dryRun) {
      const intent: ReplayIntent = { id: randomUUID(), letters: batch.map(({ letter }) => placeOf(letter.position)), marks: await this.#marks() }
      await this.#journal.intend(intent, { by: this.#options.by ?? 'unknown', patch: patchName(this.#options.patch) })
      // Should this fail, the intent stays open: what is still on its way has arrived by the time that somebody looks again.
      await this.#journal.checkHeld()
      await this.#transport.send(this.#options.topic, batch.map(({ record }) => record), this.#call)
      await this.#journal.settle(intent, intent.letters)
    }
    this.#counts.sent += batch.length
    this.#options.onProgress?.(this.#counts.sent)
  }

  /** Notes what an intent came to, by what lies behind its marks. */
  async #settle(intent: ReplayIntent): Promise<void> {
    const arrived = await findReplayed(this.#transport, this.#options.topic, intent, this.#call)
    const sent = intent.letters.filter((letter) => arrived.has(letter))
    if (this.#options.dryRun !== true) return this.#journal.settle(intent, sent)
    for (const letter of sent) this.#journal.state.settled.add(letter)
  }

  /** Where each partition ends now. */
  async #marks(): Promise<Record<string, bigint>> {
    const { topic } = this.#options
    const partitions = (await this.#transport.topics.describe(topic, this.#call))?.partitions
    if (partitions === undefined) throw topicNotFound(topic)
    const marks: Record<string, bigint> = {}
    for (let partition = 0; partition < partitions; partition++) {
      const reader = await this.#transport.openPartition(topic, partition, this.#call)
      marks[partition] = (await reader.bounds(this.#call)).latest
      await reader.close()
    }
    return marks
  }
}
