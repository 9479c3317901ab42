import { createHash } from 'node:crypto'
import { DEAD_LETTER_HEADERS, deadLetterTopic, type MessagingTransport, type RecordBatch } from '@smart-whale/messaging'
import { type Finding, mustBe } from './scenario.ts'

/** The topic's bad records against its dead letters, byte for byte. Records carry their number in the header `n`. */
export async function judgeDeadLetters(transport: MessagingTransport, topic: string, isGood: (sequence: number) => boolean): Promise<Finding[]> {
  const letters = new Map<string, string[]>()
  await forEachRecord(transport, deadLetterTopic(topic), (batch, index) => {
    const headers = batch.headersAt(index)
    const origin = `${textOf(headers[DEAD_LETTER_HEADERS.partition])}-${textOf(headers[DEAD_LETTER_HEADERS.offset])}`
    letters.set(origin, [...(letters.get(origin) ?? []), digestOf(batch.valueAt(index))])
  })
  let [bad, missing, doubled, changed, needless] = [0, 0, 0, 0, 0]
  await forEachRecord(transport, topic, (batch, index) => {
    const found = letters.get(`${batch.partition}-${batch.offsetAt(index)}`) ?? []
    const good = isGood(Number(textOf(batch.headersAt(index).n)))
    if (good) return void (needless += found.length)
    bad++
    if (found.length === 0) missing++
    if (found.length > 1) doubled++
    if (found.length > 0 && found[0] !== digestOf(batch.valueAt(index))) changed++
  })
  return [
    { what: 'bad events', found: String(bad), goal: 'more than 0', isMet: bad > 0 },
    mustBe('dead letters: missing', missing, 0),
    mustBe('dead letters: doubled', doubled, 0),
    mustBe('dead letters: other bytes than were sent', changed, 0),
    mustBe('dead letters: of good events', needless, 0),
  ]
}

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()

/** A tombstone is not the same as an empty value. */
const digestOf = (value: Uint8Array | null): string => (value === null ? 'null' : createHash('sha1').update(value).digest('base64'))

async function forEachRecord(transport: MessagingTransport, topic: string, look: (batch: RecordBatch, index: number) => void): Promise<void> {
  const partitions = (await transport.topics.describe(topic))?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    const reader = await transport.openPartition(topic, partition)
    const { earliest, latest } = await reader.bounds()
    for (let next = earliest; next < latest; ) {
      const batch = await reader.read({ maxBytes: 8_000_000, maxRecords: 20_000, maxWaitMs: 1000 })
      for (let index = 0; index < batch.length; index++) look(batch, index)
      next = batch.nextOffset
    }
    await reader.close()
  }
}
