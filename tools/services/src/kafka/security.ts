import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Java } from './find-java.ts'

const run = promisify(execFile)
const TIMEOUT_MS = 60_000
/** The key is for tests on this machine alone, and protects nothing. */
const STORE_PASSWORD = 'smart-whale-test'
const YEARS_10 = 3_650

/** Who may log in at the SASL listeners, by any of {@link SASL_MECHANISMS}. */
export interface KafkaUser {
  readonly username: string
  readonly password: string
}

/** Listeners that are offered besides the plain one, and how Kafka calls their protocols. */
export const PROTOCOLS = { tls: 'SSL', sasl: 'SASL_PLAINTEXT', saslTls: 'SASL_SSL' } as const

/** A listener besides the plain one. */
export type SecuredListener = keyof typeof PROTOCOLS

/** Mechanisms that the SASL listeners take. */
export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** What a broker proves itself by, and what a client checks that by. */
export interface BrokerCertificate {
  readonly keyStore: string
  /** File with the certificate as PEM: a client's `ca`. */
  readonly certificate: string
}

/** The files of a certificate that was made in a folder. */
export function certificateIn(folder: string): BrokerCertificate {
  return { keyStore: join(folder, 'broker.p12'), certificate: join(folder, 'broker.pem') }
}

/** Makes a key and a certificate for 127.0.0.1 and localhost, by Java's own tool. */
export async function makeCertificate({ program, env }: Java, folder: string): Promise<void> {
  const { keyStore, certificate } = certificateIn(folder)
  const keytool = (args: readonly string[]): Promise<string> =>
    run(program, ['-XX:TieredStopAtLevel=1', '-m', 'java.base/sun.security.tools.keytool.Main', ...args, '-alias', 'broker', '-keystore', keyStore, '-storepass', STORE_PASSWORD], { timeout: TIMEOUT_MS, ...(env && { env }) }).then(({ stdout }) => stdout)
  const names = ['-dname', 'CN=localhost', '-ext', 'SAN=dns:localhost,ip:127.0.0.1']
  await keytool(['-genkeypair', '-keyalg', 'RSA', '-keysize', '2048', '-validity', String(YEARS_10), '-storetype', 'PKCS12', ...names])
  await writeFile(certificate, await keytool(['-exportcert', '-rfc']))
}

/** Broker settings for the listeners: who may log in, and what the broker shows. */
export function securitySettings(listeners: readonly SecuredListener[], users: readonly KafkaUser[], { keyStore }: BrokerCertificate): Record<string, string> {
  const withTls = listeners.some((listener) => listener !== 'sasl')
  const withSasl = listeners.filter((listener) => listener !== 'tls')
  const plainUsers = users.map(({ username, password }) => ` user_${username}="${password}"`).join('')
  const logins = withSasl.flatMap((listener) => {
    const prefix = `listener.name.${PROTOCOLS[listener].toLowerCase()}`
    const scram = ['256', '512'].map((bits): [string, string] => [`${prefix}.scram-sha-${bits}.sasl.jaas.config`, 'org.apache.kafka.common.security.scram.ScramLoginModule required;'])
    return [[`${prefix}.plain.sasl.jaas.config`, `org.apache.kafka.common.security.plain.PlainLoginModule required${plainUsers};`] as [string, string], ...scram]
  })
  return {
    ...(withTls && { 'ssl.keystore.type': 'PKCS12', 'ssl.keystore.location': keyStore, 'ssl.keystore.password': STORE_PASSWORD }),
    ...(withSasl.length > 0 && { 'sasl.enabled.mechanisms': SASL_MECHANISMS.join(',') }),
    ...Object.fromEntries(logins),
  }
}
