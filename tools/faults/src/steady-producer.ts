import { type MessagingTransport, type OutgoingRecord, PartialSendError } from '@smart-whale/messaging'
import { eventOf } from './event.ts'
import type { SentEvents } from './sent-events.ts'

/** How events are sent. */
export interface SteadyProducerOptions {
  /** Started; goes on belonging to the caller. @default none, required */
  transport: MessagingTransport
  /** Topic to send to. @default none, required */
  topic: string
  /** Events a second. @default none, required */
  rate: number
  /** Events altogether. @default none, required */
  total: number
  /** Number of the first one. @default 0 */
  first?: number
  /** Remembers what became of each. @default none, required */
  sent: SentEvents
  /** Makes the event of a number. @default eventOf */
  event?: (sequence: number) => OutgoingRecord
  /** How long one send may take, in milliseconds. @default 30000 */
  timeoutMs?: number
  /** Sends no more once it aborts. @default when all are sent */
  until?: AbortSignal
}

const ROUND_MS = 25
const MAX_OPEN_SENDS = 64

/** Sends numbered events at a steady rate, several sends at a time; resolves when the outcome of each is known or given up. */
export async function sendSteadily(options: SteadyProducerOptions): Promise<void> {
  const { rate, total, first = 0, until } = options
  const open = new Set<Promise<void>>()
  const begun = performance.now()
  let next = 0
  while (next < total && until?.aborted !== true) {
    const due = Math.min(total, Math.ceil(((performance.now() - begun) / 1000) * rate))
    if (due > next) {
      const sending: Promise<void> = sendRange(options, first + next, first + due).finally(() => open.delete(sending))
      open.add(sending)
      next = due
    }
    if (open.size >= MAX_OPEN_SENDS) await Promise.race(open)
    else await new Promise((resolve) => setTimeout(resolve, ROUND_MS))
  }
  await Promise.all(open)
}

async function sendRange({ transport, topic, sent, event = eventOf, timeoutMs = 30_000 }: SteadyProducerOptions, from: number, to: number): Promise<void> {
  const sequences = Array.from({ length: to - from }, (_, index) => from + index)
  try {
    await transport.send(topic, sequences.map(event), { timeoutMs })
    for (const sequence of sequences) sent.acknowledge(sequence)
  } catch (error) {
    for (const [index, sequence] of sequences.entries()) note(sent, sequence, outcomeOf(error, index))
  }
}

type Outcome = 'stored' | 'refused' | 'unknown'

function note(sent: SentEvents, sequence: number, outcome: Outcome): void {
  if (outcome === 'stored') sent.acknowledge(sequence)
  else if (outcome === 'refused') sent.refuse(sequence)
  else sent.leaveOpen(sequence)
}

/** Only what the error says for sure counts as known. */
function outcomeOf(error: unknown, index: number): Outcome {
  if (!PartialSendError.isInstance(error) || error.unknown.includes(index)) return 'unknown'
  return error.stored[index] === null ? 'refused' : 'stored'
}
