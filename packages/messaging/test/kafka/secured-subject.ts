import type { Logger } from '@smart-whale/interfaces'
import { inspect } from 'node:util'
import assert from 'node:assert/strict'
import type { KafkaSaslOptions } from '../../src/kafka/connections/connection-options.ts'
import type { KafkaTarget } from '../../src/kafka/kafka-api.ts'
import type { ConnectionSubject } from './connection-subject.ts'
import type { ServerCertificate } from './expired-certificate.ts'

/** What the suite of secured listeners runs against. */
export interface SecuredSubject extends Pick<ConnectionSubject, 'create'> {
  readonly plain: KafkaTarget
  readonly tls: KafkaTarget
  readonly sasl: KafkaTarget
  readonly saslTls: KafkaTarget
  /** The certificate that the broker shows: its own authority. */
  readonly certificate: string
  readonly user: { readonly username: string; readonly password: string }
  /** A certificate for 127.0.0.1 whose time is over. */
  readonly expired: () => Promise<ServerCertificate>
  /** How long a session may last before the client authenticates anew. */
  readonly sessionMs: number
}

export const PASSWORD_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** What no error and no log line may have in it. */
export const WRONG_PASSWORD = 'open-sesame-4711'

export const login = (subject: SecuredSubject, mechanism: (typeof PASSWORD_MECHANISMS)[number], password = subject.user.password): KafkaSaslOptions => ({
  mechanism,
  username: subject.user.username,
  password,
})

/** A token that says who we are and is signed by nobody, as the broker takes it in tests. */
export function unsignedToken(secondsValid: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: 'tester', iat: now, exp: now + secondsValid })}.`
}

/** A logger that keeps every line. */
export function keepingLogger(): { readonly logger: Logger; readonly text: () => string } {
  const lines: unknown[] = []
  const keep = (...line: unknown[]): void => void lines.push(line)
  const logger: Logger = { trace: keep, debug: keep, info: keep, warn: keep, error: keep, fatal: keep, child: () => logger }
  return { logger, text: () => inspect(lines, { depth: 12, showHidden: true }) }
}

/** Looks into every corner of an error, its causes included. */
export function assertTellsNoSecret(error: unknown, log: string, secret: string): void {
  const everything = `${inspect(error, { depth: 12, showHidden: true })} ${JSON.stringify(error)} ${log}`
  for (const form of [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')]) assert.ok(!everything.includes(form), 'a secret is told')
}
