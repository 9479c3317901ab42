import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connectionFailure } from '../kafka/connections/connection-failure.ts'
import type { ConnectionSettings } from '../kafka/connections/connection-settings.ts'
import type { LibraryLink, LinkRequest } from '../kafka/connections/library-link.ts'
import { openFailure } from '../kafka/connections/open-failure.ts'
import { watchSocket, type WatchedSocket } from '../kafka/connections/watch-socket.ts'
import type { KafkaTarget } from '../kafka/kafka-api.ts'
import type { KafkaJsConnection, KafkaJsConnectionClass, KafkaJsRequest } from './kafkajs-library.ts'
import { kafkaJsLogger } from './kafkajs-logger.ts'
import { kafkaJsSasl } from './kafkajs-sasl.ts'
import { ReceivedChunks } from './received-chunks.ts'

/** Connections and requests have deadlines of their own; the library's must never come first. */
const NEVER_MS = 2 ** 31 - 1
/** What kafkajs needs to know of the broker to authenticate: SaslHandshake and SaslAuthenticate, as every broker from 3.1 has them. */
const SASL_VERSIONS = { 17: { minVersion: 0, maxVersion: 1 }, 36: { minVersion: 0, maxVersion: 1 } }

/** How long before its session ends a connection authenticates anew; a broker that is asked too often within a session refuses. */
const MAX_BEFORE_SESSION_ENDS_MS = 10_000

/** Makes a connection with kafkajs. */
export async function openKafkaJsLink(
  Connection: KafkaJsConnectionClass,
  settings: ConnectionSettings,
  broker: KafkaTarget,
  signal: AbortSignal,
): Promise<LibraryLink> {
  const sasl = await kafkaJsSasl(settings)
  if (signal.aborted) throw connectionFailure(broker, signal.reason)
  let socket: OpenedSocket | undefined
  const connection = new Connection({
    host: broker.host,
    port: broker.port,
    clientId: settings.clientId,
    logger: kafkaJsLogger(settings.logger),
    socketFactory: ({ onConnect }) => {
      const made = makeSocket(broker, settings, onConnect)
      socket = { ...watchSocket(made, settings.tls !== undefined), raw: made }
      return made
    },
    ssl: settings.tls ?? null,
    sasl,
    connectionTimeout: NEVER_MS,
    requestTimeout: NEVER_MS,
    enforceRequestTimeout: false,
  })
  letNothingBeScheduledForNobody(connection)
  connection.setVersions(SASL_VERSIONS)
  connection.setSupportAuthenticationProtocol(true)
  const connected = connection.connect()
  if (socket === undefined) throw connectionFailure(broker, await connected.catch((error: unknown) => error))
  return openedLink(connection, connected, socket, settings, broker, signal)
}

type OpenedSocket = WatchedSocket & { readonly raw: Socket }

async function openedLink(
  connection: KafkaJsConnection,
  connected: Promise<unknown>,
  socket: OpenedSocket,
  settings: ConnectionSettings,
  broker: KafkaTarget,
  signal: AbortSignal,
): Promise<LibraryLink> {
  const end = async (): Promise<void> => {
    // Of a connection that never stood kafkajs hears by an error alone: until then its timer of 24 days keeps the process from ending.
    if (!connection.isConnected()) socket.raw.destroy(new Error('given up before it stood'))
    await socket.destroy()
  }
  const onAbort = (): void => void end()
  // kafkajs itself waits on when a connection ends before it stands, or while it authenticates.
  const broken = new Promise<never>((_resolve, reject) => socket.closed.addEventListener('abort', () => reject(socket.closed.reason as Error)))
  socket.closed.addEventListener('abort', () => forget(connection))
  signal.addEventListener('abort', onAbort)
  try {
    await Promise.race([broken, connected.then(() => connection.authenticate())])
  } catch (error) {
    const failure = openFailure(broker, settings, error, socket)
    await end()
    throw failure
  } finally {
    signal.removeEventListener('abort', onAbort)
    broken.catch(() => {})
  }
  connection.reauthenticationThreshold = Math.min(MAX_BEFORE_SESSION_ENDS_MS, connection.sessionLifetime.toNumber() / 4)
  const received = new ReceivedChunks(connection, socket.raw)
  return { closed: socket.closed, send: (request) => received.of(() => connection.send(requestOf(request))), destroy: end }
}

function makeSocket({ host, port }: KafkaTarget, { tls }: ConnectionSettings, onConnect: () => void): Socket {
  if (tls === undefined) return connectPlain({ host, port }, onConnect)
  // A name in the handshake must be a name, and the user's wins.
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined)
  return connectTls({ ...tls, host, port, ...(servername === undefined ? {} : { servername }) }, onConnect)
}

/** Settles what kafkajs still waits for, so that nothing is held. */
function forget(connection: KafkaJsConnection): void {
  connection.rejectRequests(new Error('the connection was closed'))
  connection.disconnect().catch(() => {})
}

/**
 * After each answer kafkajs sets a timer for requests that wait, though none does, to a time that lies in the past: Node warns
 * of it (`TimeoutNegativeWarning`). Ours never wait.
 */
function letNothingBeScheduledForNobody({ requestQueue }: KafkaJsConnection): void {
  const schedule = requestQueue.scheduleCheckPendingRequests.bind(requestQueue)
  requestQueue.scheduleCheckPendingRequests = () => {
    if (requestQueue.pending.length > 0) schedule()
  }
}

const asItIs = (answer: Buffer): Promise<Buffer> => Promise.resolve(answer)

function requestOf({ apiKey, apiVersion, flexible, body }: LinkRequest): KafkaJsRequest {
  // kafkajs writes headers without tagged fields; theirs begin with the body's first byte then.
  const bytes = Buffer.concat(flexible ? [NO_TAGS, ...body] : body)
  return {
    request: { apiKey, apiVersion, apiName: `api ${apiKey}`, encode: () => Promise.resolve({ buf: bytes, buffer: bytes }) },
    response: { decode: asItIs, parse: asItIs },
  }
}

const NO_TAGS = Buffer.from([0])
