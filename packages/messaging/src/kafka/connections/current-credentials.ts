import { kafkaError } from '../../errors.ts'
import type { KafkaPasswordOptions, KafkaSaslOptions, KafkaSecret } from './connection-options.ts'

/** What one connection authenticates with. */
export type CurrentCredentials =
  | { readonly mechanism: KafkaPasswordOptions['mechanism']; readonly username: string; readonly password: string }
  | { readonly mechanism: 'OAUTHBEARER'; token(): Promise<string> }

/** Asks for the secret before the library does, so that what goes wrong with it reaches the caller as it is. */
export async function currentCredentials(sasl: KafkaSaslOptions): Promise<CurrentCredentials> {
  if (sasl.mechanism !== 'OAUTHBEARER') {
    return { mechanism: sasl.mechanism, username: sasl.username, password: await bring('password', sasl.password) }
  }
  const { mechanism, token } = sasl
  let first: string | undefined = await bring('token', token)
  return {
    mechanism,
    // When the token's time is up the library authenticates anew, with a new one.
    token: async () => {
      const now = first ?? (await bring('token', token))
      first = undefined
      return now
    },
  }
}

async function bring(name: 'password' | 'token', secret: KafkaSecret): Promise<string> {
  const brought = typeof secret === 'string' ? secret : await ask(name, secret)
  if (typeof brought === 'string' && brought !== '') return brought
  throw notBrought(name, 'brought no text')
}

/** What the function throws may hold secrets itself, so nothing of it is handed on but its kind. */
async function ask(name: string, secret: () => string | Promise<string>): Promise<unknown> {
  try {
    return await secret()
  } catch (error) {
    throw notBrought(name, `failed with ${error instanceof Error ? error.name : typeof error}`)
  }
}

function notBrought(name: string, how: string): Error {
  return kafkaError('ERR_MESSAGING_AUTHENTICATION', `the function sasl.${name} ${how}; it has to bring the ${name} as a text`, { retryable: true })
}
