import type { Connection, ConnectionOptions, Reader, SASLOptions, Writer } from '@platformatic/kafka'
import { isIP } from 'node:net'
import { connectionFailure } from '../kafka/connections/connection-failure.ts'
import type { KafkaSaslOptions } from '../kafka/connections/connection-options.ts'
import type { ConnectionSettings } from '../kafka/connections/connection-settings.ts'
import { currentCredentials } from '../kafka/connections/current-credentials.ts'
import type { LibraryLink, LinkRequest } from '../kafka/connections/library-link.ts'
import { openFailure, refusedToken } from '../kafka/connections/open-failure.ts'
import { watchSocket, type WatchedSocket } from '../kafka/connections/watch-socket.ts'
import type { KafkaTarget } from '../kafka/kafka-api.ts'
import { giveBack, own, ownMemory } from '../kafka/own-memory.ts'

/** What is used of the library. */
export interface PlatformaticLibrary {
  readonly Connection: new (clientId: string, options: ConnectionOptions) => Connection
  readonly Writer: { create(): Writer }
}

/** Connections and requests have deadlines of their own; the library's must never come first. */
const NEVER_MS = 2 ** 31 - 1
/** How many requests wait for their answers on one connection; whoever sends has a bound of its own below that. */
const MAX_IN_FLIGHT = 10_000

/** Makes a connection with `@platformatic/kafka`. */
export async function openPlatformaticLink(
  library: PlatformaticLibrary,
  settings: ConnectionSettings,
  broker: KafkaTarget,
  signal: AbortSignal,
): Promise<LibraryLink> {
  const connection = new library.Connection(settings.clientId, await libraryOptions(settings, broker))
  // Failures are told to whoever waits for them; without a listener they would end the process.
  connection.on('error', () => {})
  if (signal.aborted) throw connectionFailure(broker, signal.reason)
  const connected = Promise.resolve(connection.connect(broker.host, broker.port))
  const socket = watchSocket(connection.socket, settings.tls !== undefined)
  const end = (): Promise<void> => endConnection(connection, socket)
  const onAbort = (): void => void end()
  signal.addEventListener('abort', onAbort)
  try {
    await connected
  } catch (error) {
    const failure = openFailure(broker, settings, error, socket)
    await end()
    throw failure
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  // Its timer for the next authentication outlives a connection that the broker ended.
  socket.closed.addEventListener('abort', () => void connection.close())
  return { closed: socket.closed, send: (request) => sendOver(library, connection, request), destroy: end }
}

async function endConnection(connection: Connection, socket: WatchedSocket): Promise<void> {
  const closed = connection.close()
  await socket.destroy()
  await closed
}

async function libraryOptions({ tls, sasl }: ConnectionSettings, { host }: KafkaTarget): Promise<ConnectionOptions> {
  const options: ConnectionOptions = { connectTimeout: NEVER_MS, requestTimeout: NEVER_MS, maxInflights: MAX_IN_FLIGHT }
  if (tls !== undefined) {
    options.tls = tls
    // A name in the handshake must be a name, and the user's wins.
    if (tls.servername === undefined && isIP(host) === 0) options.tlsServerName = host
  }
  if (sasl !== undefined) options.sasl = await saslOf(sasl)
  return options
}

async function saslOf(sasl: KafkaSaslOptions): Promise<SASLOptions> {
  const credentials = await currentCredentials(sasl)
  if (credentials.mechanism !== 'OAUTHBEARER') return credentials
  return { ...credentials, authBytesValidator: (answer, callback) => (answer.length > 0 ? callback(refusedToken()) : callback(null, answer)) }
}

async function sendOver(library: PlatformaticLibrary, connection: Connection, { apiKey, apiVersion, flexible, body }: LinkRequest): Promise<Uint8Array> {
  // While it authenticates anew, the broker takes nothing else.
  if (connection.status === 'reauthenticating') await connection.ready()
  const payload = library.Writer.create()
  for (const piece of body) payload.append(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))
  return new Promise((resolve, reject) => {
    connection.send<Answer>(
      apiKey,
      apiVersion,
      () => payload,
      (_correlationId, _apiKey, _apiVersion, reader) => readAnswer(reader),
      flexible,
      false,
      (error, answer) => {
        if (answer === undefined) return reject(error as Error)
        // The library has parted from them by now.
        for (const chunk of answer.chunks) giveBack(chunk)
        resolve(answer.bytes)
      },
    )
  })
}

interface Answer {
  readonly bytes: Uint8Array
  /** What the socket brought, where the answer is a copy of it. */
  readonly chunks: readonly Uint8Array[]
}

/** Puts an answer together that came in several chunks. */
function readAnswer({ buffer, position }: Reader): Answer {
  const parts = buffer.buffers
  if (parts.length === 1) return { bytes: buffer.slice(position), chunks: [] }
  const bytes = ownMemory(buffer.length - position)
  let passed = 0
  for (const part of parts) {
    const from = Math.max(0, position - passed)
    if (from < part.length) bytes.set(part.subarray(from), passed + from - position)
    passed += part.length
  }
  return { bytes, chunks: parts.filter(isAlone).map((part) => own(new Uint8Array(part.buffer))) }
}

/** Before each answer: its length and its number. */
const HEADER_BYTES = 8

/** A socket gives each chunk memory of its own; the first and the last one may hold a part of another answer as well. */
function isAlone({ buffer, byteOffset, byteLength }: Uint8Array): boolean {
  return (byteOffset === 0 || byteOffset === HEADER_BYTES) && byteOffset + byteLength === buffer.byteLength
}
