import { ConfigurationError, type Encryptor, InfrastructureError, markError } from '@smart-whale/interfaces'
import { jsonOf } from './json-of.ts'
import { kindOf, messagingError, messagingValidationError, type MessagingErrorCode } from './errors.ts'
import type { OutgoingRecord } from './transport.ts'

/** The header that says what kind of content a record's value is. */
export const CONTENT_TYPE_HEADER = 'content-type'
/** The header of a value that was encrypted; its content type is that of what is inside. */
export const ENCRYPTION_HEADER = 'smartwhale-encryption'

const JSON_TYPE = 'application/json'
const TEXT_TYPE = 'text/plain; charset=utf-8'
const BYTES_TYPE = 'application/octet-stream'
const ENCRYPTION_VERSION = '2'

type Headers = Readonly<Record<string, Uint8Array | string>>

/** A message as a record's value and the headers that say how to read it. */
export interface MessageContent {
  readonly value: OutgoingRecord['value']
  readonly headers: Headers
}

/** How {@link encodeMessage} writes a value. */
export interface EncodeOptions {
  /** Topic that the message goes to. @default none, required */
  readonly topic: string
  /** Key that it goes under. @default none, required */
  readonly key: Uint8Array | string | null | undefined
  /** Encrypts the value; without one it goes as it is. @default none, required */
  readonly encryptor: Encryptor | undefined
}

/** How {@link decodeMessage} reads a value. */
export interface DecodeOptions {
  /** Topic that the value was sent to; encrypted values are bound to it. @default none, required */
  readonly topic: string
  /** Key that it was sent under; encrypted values are bound to it too. @default none, required */
  readonly key: Uint8Array | null
  /** Decrypts values; without one, an encrypted value is refused. @default none, required */
  readonly encryptor: Encryptor | undefined
  /** What a value without a content type is. @default none, required */
  readonly assumedContentType: string
  /** Whether a value that isn't encrypted is read although there is an encryptor. @default none, required */
  readonly acceptPlaintext: boolean
}

/**
 * Turns an object, a text or bytes into a record's value; null becomes a record without value (a tombstone).
 *
 * @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` for what can't be sent and come back as it was
 */
export async function encodeMessage(message: unknown, { topic, key, encryptor }: EncodeOptions): Promise<MessageContent> {
  if (message === null) return { value: null, headers: {} }
  const { value, contentType } = contentOf(message)
  if (encryptor === undefined) return { value, headers: { [CONTENT_TYPE_HEADER]: contentType } }
  const encrypted = await encryptor.encrypt(typeof value === 'string' ? Buffer.from(value) : value, encryptionContext(topic, key, contentType))
  return { value: encrypted, headers: { [CONTENT_TYPE_HEADER]: contentType, [ENCRYPTION_HEADER]: ENCRYPTION_VERSION } }
}

/**
 * Turns a record's value into what was sent.
 *
 * @throws OperationError `ERR_MESSAGING_UNDECODABLE` when the bytes aren't what the headers say, or were altered
 * @throws ConfigurationError `ERR_MESSAGING_NO_ENCRYPTOR` when they are encrypted and nobody was given who can read them
 */
export async function decodeMessage(value: Uint8Array | null, headers: Readonly<Record<string, Uint8Array>>, options: DecodeOptions): Promise<unknown> {
  if (value === null) return null
  const contentType = textOf(headers[CONTENT_TYPE_HEADER]) ?? options.assumedContentType
  const bytes = await decrypted(value, headers[ENCRYPTION_HEADER], contentType, options)
  const mediaType = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (mediaType === JSON_TYPE || mediaType.endsWith('+json')) return parse(decodeText(bytes, contentType), contentType)
  if (mediaType.startsWith('text/')) return decodeText(bytes, contentType)
  // A copy: what a handler keeps must not keep the whole batch.
  return Uint8Array.from(bytes)
}

function contentOf(message: unknown): { value: string | Uint8Array; contentType: string } {
  if (typeof message === 'string') {
    if (!message.isWellFormed()) throw refused('has half of a surrogate pair, which no encoding can carry')
    return { value: message, contentType: TEXT_TYPE }
  }
  if (message instanceof Uint8Array) return { value: message, contentType: BYTES_TYPE }
  if (ArrayBuffer.isView(message) || message instanceof ArrayBuffer) throw refused('must be a Uint8Array if it is bytes; wrap it in one')
  if (message === undefined || typeof message === 'function' || typeof message === 'symbol') {
    throw refused(`must be an object, a string, bytes or null, got ${kindOf(message)}`)
  }
  return { value: jsonOf(message), contentType: JSON_TYPE }
}

/** A ciphertext is of use only where it was meant to be: it can't be moved to another topic or key, nor be read as something else. */
function encryptionContext(topic: string, key: Uint8Array | string | null | undefined, contentType: string): Readonly<Record<string, string>> {
  if (key === null || key === undefined) return { topic, contentType }
  return { topic, contentType, key: Buffer.from(key as Uint8Array).toString('base64') }
}

async function decrypted(value: Uint8Array, marker: Uint8Array | undefined, contentType: string, options: DecodeOptions): Promise<Uint8Array> {
  const { topic, key, encryptor, acceptPlaintext } = options
  if (marker === undefined) {
    if (encryptor === undefined || acceptPlaintext) return value
    throw undecodable('is not encrypted, and this consumer reads encrypted messages only (acceptPlaintext lets it read both)')
  }
  if (textOf(marker) !== ENCRYPTION_VERSION) throw undecodable('is encrypted in a way that this version does not know')
  if (encryptor === undefined) throw noEncryptor(topic)
  try {
    return await encryptor.decrypt(value, encryptionContext(topic, key, contentType))
  } catch (error) {
    // The keys may be out of reach for now: that is no fault of the message.
    if (InfrastructureError.isInstance(error) && error.retryable) throw error
    throw undecodable('can not be decrypted: it was altered, or encrypted with another secret or for another topic, key or content type', error)
  }
}

function decodeText(bytes: Uint8Array, contentType: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw undecodable(`is not UTF-8, although its content type is ${contentType}`, error)
  }
}

function parse(text: string, contentType: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw undecodable(`is not JSON, although its content type is ${contentType}`, error)
  }
}

const textOf = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8'))

const refused = (message: string): Error =>
  messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `this message can't be sent: it ${message}`, [{ path: ['message'], message }])

const undecodable = (what: string, cause?: unknown): Error => messagingError('ERR_MESSAGING_UNDECODABLE', `the value ${what}`, { cause, status: 422 })

function noEncryptor(topic: string): Error {
  const error = new ConfigurationError<MessagingErrorCode>(`messages of topic "${topic}" are encrypted: give the service the encryptor that its senders use`, {
    code: 'ERR_MESSAGING_NO_ENCRYPTOR',
    context: { topic },
  })
  markError(error, 'MessagingError')
  return error
}
