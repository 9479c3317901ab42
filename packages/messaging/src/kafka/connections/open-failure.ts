import { kafkaError } from '../../errors.ts'
import type { KafkaTarget } from '../kafka-api.ts'
import { authenticationFailure, connectionFailure } from './connection-failure.ts'
import type { KafkaSaslOptions } from './connection-options.ts'
import type { ConnectionSettings } from './connection-settings.ts'
import type { WatchedSocket } from './watch-socket.ts'

/**
 * Why a connection didn't come to stand. Libraries call everything that goes wrong while they authenticate a failed
 * authentication; only a broker that is still there has refused it, and only that is not worth another try.
 */
export function openFailure(broker: KafkaTarget, { sasl }: ConnectionSettings, error: unknown, socket: WatchedSocket): Error {
  if (sasl === undefined || socket.isBroken()) return connectionFailure(broker, socket.failure() ?? error)
  return authenticationFailure(broker, refusal(sasl, error), error)
}

/** A broker that refuses a token answers it as if all were well, with the reason where nothing should be. */
export function refusedToken(): Error {
  return kafkaError('ERR_MESSAGING_AUTHENTICATION', 'the broker refused the token')
}

function refusal(sasl: KafkaSaslOptions, error: unknown): string {
  const { mechanism } = sasl
  if (isAboutMechanism(error)) return `the listener doesn't offer SASL ${mechanism}: use a mechanism that it offers, or leave sasl out`
  if (sasl.mechanism === 'OAUTHBEARER') return 'the token was refused: check its issuer, audience and expiry'
  return `SASL ${mechanism} of user "${sasl.username}" was refused: check username and password`
}

function isAboutMechanism(error: unknown): boolean {
  let at = error
  for (let depth = 0; depth < 6 && at instanceof Error; depth++) {
    if (/mechanism is not supported|suitable SASL mechanism|current SASL state/i.test(at.message)) return true
    at = at.cause
  }
  return false
}
