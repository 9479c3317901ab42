import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findJava } from '../../../../tools/services/src/kafka/find-java.ts'

/** What a TLS server shows, and what a client would check it by. */
export interface ServerCertificate {
  readonly pfx: Buffer
  readonly passphrase: string
  readonly certificate: string
}

const passphrase = 'of-a-test'

/** Makes a key and a certificate for 127.0.0.1 that was good for ten days, a month ago: by the tool of the Java that the brokers run on. */
export async function makeExpiredCertificate(): Promise<ServerCertificate> {
  const { program, env } = await findJava(() => {})
  const folder = await mkdtemp(join(tmpdir(), 'smart-whale-certificate-'))
  const store = join(folder, 'expired.p12')
  const keytool = async (args: readonly string[]): Promise<string> => {
    const whole = ['-m', 'java.base/sun.security.tools.keytool.Main', ...args, '-alias', 'expired', '-keystore', store, '-storepass', passphrase]
    const { stdout } = await promisify(execFile)(program, whole, { timeout: 60_000, ...(env && { env }) })
    return stdout
  }
  try {
    const names = ['-dname', 'CN=localhost', '-ext', 'SAN=ip:127.0.0.1']
    await keytool(['-genkeypair', '-keyalg', 'EC', '-startdate', '-30d', '-validity', '10', '-storetype', 'PKCS12', ...names])
    return { passphrase, certificate: await keytool(['-exportcert', '-rfc']), pfx: await readFile(store) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
