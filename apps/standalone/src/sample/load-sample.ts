import type { Logger } from '@smart-whale/interfaces'
import type { MessagingTransport } from '@smart-whale/messaging'
import { readFlightsApart } from './read-flights-apart.ts'
import { readSp500, type SampleEvent, type SampleSize } from './sample-files.ts'
import { SAMPLE_HEADER, sentIds } from './sent-ids.ts'

/** What {@link loadSample} works with. */
export interface LoadSampleOptions {
  /** Where the sample's messages go. @default none, required */
  transport: MessagingTransport
  /** Every fifteenth flight, or all. @default none, required */
  size: SampleSize
  /** Ends the load; what was sent stays sent. @default none, required */
  signal: AbortSignal
  /** Told how many messages have been sent. @default none, required */
  onSent: (count: number) => void
  /** Told when only a part has to be sent. @default none, required */
  logger: Logger
}

/** The longest time that a timer takes: 24 days. */
const NEVER_MS = 2 ** 31 - 1

/** Messages of one send: each send waits for the disk once. */
const CHUNK = 20_000

/** Sends what the topics don't have yet of the sample, as any producer would: through the broker, not into the stores. */
export async function loadSample({ transport, size, signal, onSent, logger }: LoadSampleOptions): Promise<void> {
  const days = await sentIds(transport, 'sp500', signal)
  await sendAll(transport, 'sp500', await readSp500((id) => !days.has(id)), signal, onSent)
  const flights = await sentIds(transport, 'flights', signal)
  if (flights.size > 0) logger.info({ flights: flights.size, tradingDays: days.size }, 'part of the sample is there already')
  for await (const events of readFlightsApart(size, flights, signal)) await sendAll(transport, 'flights', events, signal, onSent)
}

async function sendAll(transport: MessagingTransport, topic: string, events: readonly SampleEvent[], signal: AbortSignal, onSent: (count: number) => void): Promise<void> {
  for (let start = 0; start < events.length; start += CHUNK) {
    signal.throwIfAborted()
    const records = events.slice(start, start + CHUNK).map(({ id, value }) => ({ key: String(id), value, headers: { [SAMPLE_HEADER]: String(id) } }))
    // Without a deadline of its own: a send that is given up may still land, and what is sent again then is there twice.
    await transport.send(topic, records, { signal, timeoutMs: NEVER_MS })
    onSent(records.length)
  }
}
