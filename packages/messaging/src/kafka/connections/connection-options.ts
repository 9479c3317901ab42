import type { Clock, Logger } from '@smart-whale/interfaces'
import type { ConnectionOptions as TlsOptions } from 'node:tls'

/** A secret, or what brings it: asked anew for each connection, so that it may change. */
export type KafkaSecret = string | (() => string | Promise<string>)

/** Who we are, by name and password. */
export interface KafkaPasswordOptions {
  /** How the password is proven. `PLAIN` sends it as it is: only with `tls`. @default none, required */
  mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  /** Name of the user. @default none, required */
  username: string
  /** The password, or a function that brings it. Stands in no error and no log line. @default none, required */
  password: KafkaSecret
}

/** Who we are, by a bearer token. */
export interface KafkaTokenOptions {
  /** OAuth 2 bearer tokens. @default none, required */
  mechanism: 'OAUTHBEARER'
  /** Brings a token that is valid now. Stands in no error and no log line. @default none, required */
  token: KafkaSecret
}

/** How we say who we are. */
export type KafkaSaslOptions = KafkaPasswordOptions | KafkaTokenOptions

/** How brokers are reached, whichever client library makes the connections. */
export interface KafkaConnectionOptions {
  /** `host:port` of brokers to begin with, several for when one is away; the cluster tells the others. @default none, required */
  brokers: readonly string[]
  /** How we are called in the brokers' logs and quotas. @default 'smart-whale' */
  clientId?: string | undefined
  /**
   * Encrypts connections: `true`, or options of `node:tls` (`ca` for a private authority, `cert` and `key` for mutual TLS).
   * A certificate that isn't trusted is refused. @default false
   */
  tls?: boolean | TlsOptions | undefined
  /** Says who we are, to a listener that asks. @default none: nothing is said */
  sasl?: KafkaSaslOptions | undefined
  /** How long a connection may take to stand, TLS and authentication included, in milliseconds. @default 10_000 */
  connectTimeoutMs?: number | undefined
  /** Where connections log. @default silentLogger */
  logger?: Logger | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}
