import type { ConnectionSettings } from '../kafka/connections/connection-settings.ts'
import { currentCredentials } from '../kafka/connections/current-credentials.ts'
import { refusedToken } from '../kafka/connections/open-failure.ts'

/** One step of an authentication, as kafkajs takes it. Bytes come and go behind their length. */
type Authenticate = (step: {
  readonly request: { encode(): Promise<Buffer> }
  readonly response: { decode(answer: Buffer): Promise<Buffer>; parse(answer: Buffer): Promise<void> }
}) => Promise<unknown>

/** What kafkajs authenticates with. Another object for each connection: kafkajs keeps what it makes of it in the same one. */
export async function kafkaJsSasl({ sasl }: ConnectionSettings): Promise<object | null> {
  if (sasl === undefined) return null
  const credentials = await currentCredentials(sasl)
  if (credentials.mechanism !== 'OAUTHBEARER') return { ...credentials }
  const { mechanism, token } = credentials
  return { mechanism, authenticationProvider: ({ saslAuthenticate }: { saslAuthenticate: Authenticate }) => ({ authenticate: async () => sendToken(saslAuthenticate, await token()) }) }
}

const LENGTH_BYTES = 4

/**
 * kafkajs doesn't look at the answer to a token, and a broker that refuses one says so in what looks like a success: what is
 * asked afterwards would get answers without content, as if the cluster were empty.
 */
async function sendToken(saslAuthenticate: Authenticate, token: string): Promise<void> {
  const message = Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`)
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeInt32BE(message.length)
  await saslAuthenticate({
    request: { encode: () => Promise.resolve(Buffer.concat([length, message])) },
    response: {
      decode: (answer) => Promise.resolve(answer),
      parse: (answer) => (answer.length > LENGTH_BYTES ? Promise.reject(refusedToken()) : Promise.resolve()),
    },
  })
}
