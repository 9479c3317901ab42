import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { AuditEntry, AuditEvent, AuditFault, AuditVerification, ChainHead, FoundEntry } from '@smart-whale/interfaces'

/** Before the first entry. */
export const CHAIN_START: ChainHead = { sequence: 0, hash: '0'.repeat(64) }

/** Secret of a chain; without one, whoever may write the log may also write another one that fits together. */
export type ChainKey = KeyObject | undefined

/** The entry of an event behind what the chain has. */
export function nextEntry(head: ChainHead, event: AuditEvent, at: string, key: ChainKey): AuditEntry {
  // As JSON has it, so that what is read back has the same hash: no undefined members, no dates.
  const { actor, action, resource, outcome, details } = JSON.parse(JSON.stringify(event)) as AuditEvent
  const open = { sequence: head.sequence + 1, at, actor, action, ...(resource === undefined ? {} : { resource }), outcome, ...(details === undefined ? {} : { details }), previous: head.hash }
  return { ...open, hash: hashOf(open, key) }
}

/** Why an entry can't be the one behind `head`; undefined when it is. */
export function chainFault(head: ChainHead, entry: AuditEntry, key: ChainKey): string | undefined {
  const { hash, ...open } = entry
  if (!Number.isSafeInteger(entry.sequence) || typeof hash !== 'string') return 'is no entry of an audit log'
  if (!isSame(hashOf(open, key), hash)) return 'was changed'
  if (entry.sequence !== head.sequence + 1) return entry.sequence > head.sequence + 1 ? `comes after ${entry.sequence - head.sequence - 1} that are missing` : 'stands twice, or out of order'
  return entry.previous === head.hash ? undefined : 'follows another entry than the one that stands before it'
}

function hashOf(open: Omit<AuditEntry, 'hash'>, key: ChainKey): string {
  const text = sortedJson(open)
  return key === undefined ? createHash('sha256').update(text).digest('hex') : createHmac('sha256', key).update(text).digest('hex')
}

/** JSON whose members are in alphabetical order, in any depth. */
function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, member]) => `${JSON.stringify(name)}:${sortedJson(member)}`).join()}}`
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/**
 * Goes through a log from its beginning.
 *
 * @param known a place that the chain has been at: it must still be there
 */
export async function verifyChain(found: AsyncIterable<FoundEntry> | Iterable<FoundEntry>, key: ChainKey, known?: ChainHead): Promise<AuditVerification> {
  const faults: AuditFault[] = []
  let head = CHAIN_START
  let line = 0
  let isKnownSeen = known === undefined || known.sequence === 0
  for await (const entry of found) {
    line += 1
    if ('broken' in entry) {
      faults.push({ line, what: entry.broken })
      continue
    }
    const fault = chainFault(head, entry, key)
    if (fault !== undefined) faults.push({ line, what: `the entry ${fault}` })
    if (known !== undefined && entry.sequence === known.sequence) isKnownSeen = entry.hash === known.hash
    // Goes on behind what is there, so that one change is one fault and not as many as there are entries behind it.
    head = { sequence: entry.sequence, hash: entry.hash }
  }
  if (!isKnownSeen) faults.push({ line: line + 1, what: `the log has been up to entry ${known?.sequence} and ends at ${head.sequence}, or has another entry there: it was cut off or written anew` })
  return { entries: line, head, faults }
}
