import type { Socket } from 'node:net'
import { kafkaConfigurationError } from '../errors.ts'

/** What kafkajs writes its log with. */
export interface KafkaJsLogger {
  namespace(name: string): KafkaJsLogger
  debug(message: string, extra?: object): void
  info(message: string, extra?: object): void
  warn(message: string, extra?: object): void
  error(message: string, extra?: object): void
}

/** What a connection of kafkajs is made with, as far as it is used. */
export interface KafkaJsSetup {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly logger: KafkaJsLogger
  readonly socketFactory: (options: { readonly host: string; readonly port: number; readonly onConnect: () => void }) => Socket
  readonly ssl: object | null
  readonly sasl: object | null
  readonly connectionTimeout: number
  readonly requestTimeout: number
  readonly enforceRequestTimeout: boolean
}

/** A request as kafkajs sends it. */
export interface KafkaJsRequest {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    /** Resolves with what stands between the request header and the end, in the shape of kafkajs's own encoder. */
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: { decode(answer: Buffer): Promise<Buffer>; parse(answer: Buffer): Promise<Buffer> }
}

/** One connection to a broker: what of kafkajs lies below its clients, and has no type declarations. */
export interface KafkaJsConnection {
  /** Milliseconds; 0 when the session has no end. */
  readonly sessionLifetime: { toNumber(): number }
  /** How long before its end a session is renewed, in milliseconds. */
  reauthenticationThreshold: number
  /** What came of an answer that isn't whole. */
  chunks: Buffer[]
  readonly bytesBuffered: number
  readonly requestQueue: { pending: readonly unknown[]; scheduleCheckPendingRequests: () => void }
  setVersions(versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>): void
  setSupportAuthenticationProtocol(isSupported: boolean): void
  connect(): Promise<unknown>
  isConnected(): boolean
  authenticate(): Promise<void>
  disconnect(): Promise<unknown>
  rejectRequests(error: Error): void
  send(request: KafkaJsRequest): Promise<Buffer>
}

/** What is used of the library. */
export type KafkaJsConnectionClass = new (options: KafkaJsSetup) => KafkaJsConnection

/** kafkajs has no list of exports, so that its parts can be loaded; a variable, because it has no types for them either. */
const CONNECTION_FILE = 'kafkajs/src/network/connection.js'
const METHODS = ['setVersions', 'setSupportAuthenticationProtocol', 'connect', 'authenticate', 'disconnect', 'rejectRequests', 'send'] as const

/**
 * Loads kafkajs's connections, on first use: it is an optional peer.
 *
 * @throws ConfigurationError `ERR_MESSAGING_MISSING_PEER`
 */
export async function loadKafkaJs(): Promise<KafkaJsConnectionClass> {
  let loaded: unknown
  try {
    loaded = ((await import(CONNECTION_FILE)) as { readonly default: unknown }).default
  } catch (cause) {
    throw missingPeer('is not installed, or not in a version whose connections can be used', cause)
  }
  if (isConnectionClass(loaded)) return loaded
  throw missingPeer('is another version than this package works with')
}

function isConnectionClass(value: unknown): value is KafkaJsConnectionClass {
  if (typeof value !== 'function') return false
  const prototype = value.prototype as Record<string, unknown>
  return METHODS.every((method) => typeof prototype[method] === 'function')
}

function missingPeer(how: string, cause?: unknown): Error {
  return kafkaConfigurationError('ERR_MESSAGING_MISSING_PEER', `kafkajs ${how}: add kafkajs@~2.2.4`, { cause, context: { package: 'kafkajs' } })
}
