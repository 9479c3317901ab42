import { isMessagingError, kafkaConfigurationError, kafkaError } from '../../errors.ts'
import type { KafkaTarget } from '../kafka-api.ts'

/** `host:port`, as in the options. */
export function addressOf({ host, port }: KafkaTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What is wrong with a certificate or handshake, by Node's error code. */
const TLS_FAILURES: readonly (readonly [RegExp, string])[] = [
  [/^CERT_HAS_EXPIRED$/, "the broker's certificate has expired: renew it"],
  [/^CERT_NOT_YET_VALID$/, "the broker's certificate isn't valid yet: check both clocks"],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, "the broker's certificate is for another name: connect by a name that it has, or set tls.servername"],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_UNTRUSTED|CERT_SIGNATURE|INVALID_CA)/,
    "the broker's certificate is from an authority that isn't trusted: give its certificate as tls.ca",
  ],
  [/^(CERT_|CRL_)/, "the broker's certificate can't be trusted"],
  [/CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_CERTIFICATE/, 'the broker wants a client certificate that it trusts: give tls.cert and tls.key'],
  [/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/, "the listener doesn't speak TLS: use its TLS port, or leave tls out"],
  [/^ERR_SSL_/, 'the broker refuses the TLS handshake: compare the protocol versions and ciphers of both sides'],
]

/** A listener of the other kind: it speaks TLS, and we don't. */
export const LISTENER_SPEAKS_TLS = 'ERR_LISTENER_SPEAKS_TLS'

/** What says enough itself. */
const PASSED_ON: ReadonlySet<string> = new Set(['ERR_MESSAGING_CONNECTION', 'ERR_MESSAGING_AUTHENTICATION', 'ERR_MESSAGING_MISSING_PEER'])

/** Why a connection didn't come about or broke, with what to do. What says so already passes as it is. */
export function connectionFailure(broker: KafkaTarget, cause: unknown, hint?: string): Error {
  if (isMessagingError(cause) && PASSED_ON.has(cause.code)) return cause
  const address = addressOf(broker)
  const code = codeOf(cause)
  if (code === LISTENER_SPEAKS_TLS) return authenticationFailure(broker, 'the listener speaks TLS: set the option tls', cause)
  const tls = TLS_FAILURES.find(([pattern]) => code !== undefined && pattern.test(code))
  if (tls !== undefined) return authenticationFailure(broker, `${tls[1]} (${code})`, cause)
  const detail = code === undefined ? '' : ` (${code})`
  const advice = hint ?? adviceOf(code, cause) ?? 'look whether it runs'
  return kafkaError('ERR_MESSAGING_CONNECTION', `the connection to broker ${address} failed${detail}; ${advice}`, {
    cause,
    retryable: true,
    status: 503,
    context: { broker: address, ...(code === undefined ? {} : { reason: code }) },
  })
}

/** What won't change by trying again: the broker refuses us, or we refuse the broker. */
export function authenticationFailure(broker: KafkaTarget, reason: string, cause?: unknown): Error {
  const address = addressOf(broker)
  return kafkaConfigurationError('ERR_MESSAGING_AUTHENTICATION', `broker ${address}: ${reason}`, { cause, context: { broker: address } })
}

function adviceOf(code: string | undefined, cause: unknown): string | undefined {
  if (cause instanceof Error && cause.message.includes('before secure TLS connection')) return "if it always does, the listener doesn't speak TLS"
  if (code === 'ECONNREFUSED') return 'nothing listens there: check host, port and whether the broker runs'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return "its name can't be resolved: check the name, and the broker's advertised.listeners"
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return "there is no way to it: check the network, and the broker's advertised.listeners"
  return undefined
}

/** The first code that Node gave, down the chain of causes. */
function codeOf(error: unknown): string | undefined {
  let at = error
  for (let depth = 0; depth < 6 && at instanceof Error; depth++) {
    const { code } = at as { code?: unknown }
    if (typeof code === 'string' && !code.startsWith('PLT_')) return code
    at = at.cause ?? (at instanceof AggregateError ? at.errors[0] : undefined)
  }
  return undefined
}
