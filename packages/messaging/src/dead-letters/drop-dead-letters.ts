import { type AuditSink, silentAudit } from '@smart-whale/interfaces'
import type { MessagingTransport, TransportCallOptions } from '../transport.ts'
import { holdJournal } from './hold-journal.ts'
import type { VersionOfLetter } from './letter-version.ts'
import { readDeadLetters } from './read-dead-letters.ts'
import { deadLetterFilter, type DeadLetterSelection, placeOf } from './select-dead-letters.ts'

/** Which letters are given up. */
export interface DropOptions extends TransportCallOptions {
  /** Topic whose dead letters are meant. @default none, required */
  topic: string
  /** Which of them. @default none, required */
  select: DeadLetterSelection
  /** Where events say their schema version, for the selection; see `letterVersion`. @default the header `schema-version` */
  versionOf?: VersionOfLetter | undefined
  /** Only tells what would be done. @default false */
  dryRun?: boolean | undefined
  /** Who decides it, for the journal and the audit. @default 'unknown' */
  by?: string | undefined
  /** Where the audit entry goes. @default nowhere */
  audit?: AuditSink | undefined
}

/** Notes that dead letters are not to be sent again; they stay where they are. Answers how many were not settled before. */
export async function dropDeadLetters(transport: MessagingTransport, { topic, select, versionOf, dryRun = false, by = 'unknown', audit = silentAudit, ...call }: DropOptions): Promise<number> {
  const dropped = await holdJournal(transport, topic, call, async (journal, held) => {
    const isSelected = deadLetterFilter(select)
    const places: string[] = []
    for await (const letter of readDeadLetters(transport, topic, { versionOf, ...held })) {
      const place = placeOf(letter.position)
      if (isSelected(letter) && !journal.state.settled.has(place)) places.push(place)
    }
    if (places.length > 0 && !dryRun) await journal.drop(places, by)
    return places.length
  })
  if (!dryRun) await audit.record({ actor: by, action: 'dead-letters.drop', resource: topic, outcome: 'success', details: { dropped } })
  return dropped
}
