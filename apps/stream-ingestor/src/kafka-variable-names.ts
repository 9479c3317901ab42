import { ConfigurationError, ConnectionError, InfrastructureError, OperationError } from '@smart-whale/interfaces'

/** How the Kafka client calls what an operator sets by a variable. The longer names come first. */
const VARIABLES: readonly (readonly [option: RegExp, variable: string | ((found: string, part: string) => string)])[] = [
  [/\bthe function sasl\.(password|token)/g, (_found, secret) => `the file of KAFKA_SASL_${secret.toUpperCase()}_FILE`],
  [/\b(?:option )?brokers\[(\d+)\]/g, (_found, index) => `KAFKA_BROKERS (its entry ${Number(index) + 1})`],
  [/\boption brokers\b/g, 'KAFKA_BROKERS'],
  [/\boption tls can't be used\b/g, "KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE can't be used"],
  [/\bcheck ca, cert, key and passphrase\b/g, 'compare what is in them: PEM, and the key that belongs to the certificate'],
  [/\bset the option tls\b/g, 'set KAFKA_TLS=true'],
  [/\bleave tls out\b/g, 'set KAFKA_TLS=false and no KAFKA_TLS_…_FILE'],
  [/\bleave sasl out\b/g, 'unset KAFKA_SASL_MECHANISM'],
  [/\bset tls\.servername\b/g, 'have that name added to it'],
  [/\btls\.ca\b/g, 'KAFKA_TLS_CA_FILE'],
  [/\btls\.cert\b/g, 'KAFKA_TLS_CERT_FILE'],
  [/\btls\.key\b/g, 'KAFKA_TLS_KEY_FILE'],
  [/\bset tls\b/g, 'set KAFKA_TLS=true'],
  [/\b(?:option )?sasl\.mechanism\b/g, 'KAFKA_SASL_MECHANISM'],
  [/\b(?:option )?sasl\.username\b/g, 'KAFKA_SASL_USERNAME'],
  [/\b(?:option )?sasl\.(password|token)\b/g, (_found, secret) => `KAFKA_SASL_${secret.toUpperCase()}`],
  [/\bcheck username and password\b/g, 'check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE'],
  [/\bcheck host, port and whether the broker runs\b/g, 'check KAFKA_BROKERS, and whether the broker runs'],
  [/\bthe token was refused\b/g, 'the token of KAFKA_SASL_TOKEN_FILE was refused'],
  [/\bwants TLS or SASL does so when we come without\b/g, 'wants TLS or SASL does so when we come without (KAFKA_TLS, KAFKA_SASL_MECHANISM)'],
]

/** A sentence about options of the Kafka client, in the words of whoever set variables. */
export function inVariableNames(sentence: string): string {
  return VARIABLES.reduce((text, [option, variable]) => text.replace(option, variable as string), sentence)
}

/** An error of the Kafka client in those words; every other one as it is. */
export function forOperator(error: unknown): unknown {
  if (!InfrastructureError.isInstance(error)) return error
  const message = inVariableNames(error.message)
  if (message === error.message) return error
  const Kind = [ConfigurationError, ConnectionError].find((kind) => kind.isInstance(error)) ?? OperationError
  return new Kind(message, { code: error.code, retryable: error.retryable, status: error.status, context: error.context, cause: error })
}
