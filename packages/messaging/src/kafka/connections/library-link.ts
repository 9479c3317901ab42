import type { KafkaRequest, KafkaTarget } from '../kafka-api.ts'

/** What of a request goes over the wire. */
export type LinkRequest = Pick<KafkaRequest, 'apiKey' | 'apiVersion' | 'flexible' | 'body'>

/** One connection that a client library made: encrypted, authenticated, framed and correlated. */
export interface LibraryLink {
  /** Aborts when the connection is gone; the reason is what broke it, if anything did. */
  readonly closed: AbortSignal
  /** Resolves with everything behind the answer's correlation id; may stay open when the connection breaks. */
  send(request: LinkRequest): Promise<Uint8Array>
  /** Breaks the connection at once; resolves when no handle is left. */
  destroy(): Promise<void>
}

/** Makes a connection. When the signal aborts, it must leave nothing behind. */
export type OpenLink = (broker: KafkaTarget, signal: AbortSignal) => Promise<LibraryLink>
