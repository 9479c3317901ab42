import type { Clock } from '@smart-whale/interfaces'
import { kindOf, messagingValidationError } from './errors.ts'
import type { MessageDraft } from './send-messages.ts'

/** What goes with a message. */
export interface SendMessageOptions {
  /** Messages of one key are handled in order. @default none */
  key?: string | Uint8Array | null | undefined
  /** Headers of the message, beside those that say how it is encoded. @default {} */
  headers?: Readonly<Record<string, string | Uint8Array>> | undefined
  /** How long the message is of use, in milliseconds; it is not handled afterwards. @default for ever */
  ttlMs?: number | undefined
  /** Sends it to the lane of this priority, from `Priority`, for those that subscribe with `subscribeLanes`. @default none: the topic itself */
  priority?: number | undefined
  /** Ends the call. @default undefined */
  signal?: AbortSignal | undefined
}

/** What goes with the messages of a batch. */
export interface SendBatchOptions {
  /** The key of each message. @default none */
  key?: ((message: unknown, index: number) => string | Uint8Array | null) | undefined
  /** Headers of every message. @default {} */
  headers?: Readonly<Record<string, string | Uint8Array>> | undefined
  /** How long the messages are of use, in milliseconds; they are not handled afterwards. @default for ever */
  ttlMs?: number | undefined
  /** Sends them to the lane of this priority, from `Priority`, for those that subscribe with `subscribeLanes`. @default none: the topic itself */
  priority?: number | undefined
  /** Ends the call. @default undefined */
  signal?: AbortSignal | undefined
}

/** The messages of a batch on their way out. @throws ValidationError `ERR_MESSAGING_INVALID_ARGUMENT` */
export function batchDrafts(messages: readonly unknown[], { key, headers, ttlMs }: SendBatchOptions, clock: Clock): MessageDraft[] {
  if (!Array.isArray(messages)) throw invalid('messages', `must be an array, got ${kindOf(messages)}`)
  const expiresAtMs = expiryAt(ttlMs, clock)
  return messages.map((message: unknown, index) => ({ message, key: key?.(message, index), headers, expiresAtMs }))
}

/** When a message is of no use any more, in milliseconds since the epoch; undefined for one that always is. */
export function expiryAt(ttlMs: number | undefined, clock: Clock): number | undefined {
  if (ttlMs === undefined) return undefined
  if (typeof ttlMs !== 'number' || !(ttlMs >= 0)) throw invalid('ttlMs', `must be a number of milliseconds, got ${kindOf(ttlMs)}`)
  return clock.now() + ttlMs
}

function invalid(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
