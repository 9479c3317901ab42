import { randomUUID } from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { ConfigurationError, InfrastructureError } from '@smart-whale/interfaces'
import type { KeyFileOptions } from './options.ts'
import { exportSigningKeys, generateSigningKeys, importSigningKeys, type Jwk, type SigningKeys } from './signing-keys.ts'

/**
 * The signing keys that lie in a file, made there (mode 600) when there are none yet, so that tokens outlive a restart.
 * Several processes may call it at once: all end up with the same keys.
 *
 * @throws ConfigurationError `ERR_SECURITY_KEY_FILE` when the file can't be read or written, is broken, or others may read it
 */
export async function loadOrCreateSigningKeys(options: KeyFileOptions): Promise<SigningKeys> {
  const { path, algorithm = 'EdDSA' } = options
  try {
    return (await loadKeys(path)) ?? (await createKeys(path, algorithm))
  } catch (error) {
    if (InfrastructureError.isInstance(error)) throw error
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw keyFileError(path, `can't be read or made (${reason}); check that its folder exists and belongs to this user`, error)
  }
}

async function loadKeys(path: string): Promise<SigningKeys | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  const { mode } = await stat(path)
  // Windows has no such bits and reports them all as set.
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw keyFileError(path, 'may be read by others than its owner; take the key as known to them: delete it, or "chmod 600" it')
  }
  return parseKeys(path, text)
}

function parseKeys(path: string, text: string): SigningKeys {
  let jwk: unknown
  try {
    jwk = JSON.parse(text)
  } catch {
    throw keyFileError(path, 'is not JSON; restore it, or delete it to have new keys made (older tokens are then refused)')
  }
  try {
    return importSigningKeys(jwk as Jwk)
  } catch {
    throw keyFileError(path, 'holds no private Ed25519 or P-256 key in JWK form; restore it, or delete it to have new keys made')
  }
}

/** Written whole under another name and then linked: nobody sees half a key, and of two makers one wins. */
async function createKeys(path: string, algorithm: 'EdDSA' | 'ES256'): Promise<SigningKeys> {
  const keys = await generateSigningKeys(algorithm)
  const draft = `${path}.${randomUUID()}.tmp`
  try {
    await writeDurably(draft, JSON.stringify(exportSigningKeys(keys)))
    await link(draft, path)
    return keys
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const winner = await loadKeys(path)
    if (winner === null) throw error
    return winner
  } finally {
    await rm(draft, { force: true })
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

function keyFileError(path: string, what: string, cause?: unknown): ConfigurationError<'ERR_SECURITY_KEY_FILE'> {
  return new ConfigurationError(`the key file ${path} ${what}`, { code: 'ERR_SECURITY_KEY_FILE', context: { path }, cause })
}
