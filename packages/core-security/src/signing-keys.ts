import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { ConfigurationError } from '@smart-whale/interfaces'

/** Signature algorithms that tokens may use. Symmetric ones and `none` are not among them, on purpose. */
export type SigningAlgorithm = 'EdDSA' | 'ES256'

/** A public key that tokens are checked with. */
export interface VerificationKey {
  /** Goes into the token's header, so that the verifier knows which key to take. */
  readonly keyId: string
  readonly algorithm: SigningAlgorithm
  readonly publicKey: KeyObject
}

/** A key pair that tokens are signed with; fits wherever a {@link VerificationKey} is asked for. */
export interface SigningKeys extends VerificationKey {
  readonly privateKey: KeyObject
}

/** A key in JSON form (RFC 7517). */
export interface Jwk extends JsonWebKey {
  readonly kid?: string
  readonly alg?: string
  readonly use?: string
}

/** Public keys in JSON form, as served under `/.well-known/jwks.json`. */
export interface JwkSet {
  readonly keys: readonly Jwk[]
}

const generateKeys = promisify(generateKeyPair)

/** Makes a new key pair in memory. Its id is its RFC 7638 thumbprint. */
export async function generateSigningKeys(algorithm: SigningAlgorithm = 'EdDSA'): Promise<SigningKeys> {
  const { privateKey, publicKey } =
    algorithm === 'EdDSA' ? await generateKeys('ed25519') : await generateKeys('ec', { namedCurve: 'P-256' })
  return { keyId: thumbprintOf(publicKey), algorithm, privateKey, publicKey }
}

/** The whole pair in JSON form, private part included: whoever reads it can sign. */
export function exportSigningKeys(keys: SigningKeys): Jwk {
  return { ...keys.privateKey.export({ format: 'jwk' }), kid: keys.keyId, alg: keys.algorithm, use: 'sig' }
}

/** Only the public parts, to be handed to verifiers. */
export function exportJwkSet(keys: VerificationKey | readonly VerificationKey[]): JwkSet {
  const list = isKeyList(keys) ? keys : [keys]
  return {
    keys: list.map((key) => ({ ...key.publicKey.export({ format: 'jwk' }), kid: key.keyId, alg: key.algorithm, use: 'sig' })),
  }
}

/**
 * Reads a private key in JSON form; `kid` may be missing and is then the thumbprint.
 *
 * @throws ConfigurationError `ERR_SECURITY_KEY` for anything but a private Ed25519 or P-256 signing key
 */
export function importSigningKeys(jwk: Jwk): SigningKeys {
  const algorithm = algorithmOf(jwk)
  if (algorithm === null || typeof jwk.d !== 'string') throw unusableKey('a signing key must be a private Ed25519 or P-256 key in JWK form')
  const privateKey = readKey(() => createPrivateKey({ key: jwk, format: 'jwk' }))
  const publicKey = createPublicKey(privateKey)
  return { keyId: jwk.kid ?? thumbprintOf(publicKey), algorithm, privateKey, publicKey }
}

/**
 * Reads the usable keys of a JWK set. Keys of other kinds, and keys that are not for signatures, are passed over (RFC 7517 §5);
 * so a symmetric key is never one.
 *
 * @throws ConfigurationError `ERR_SECURITY_KEY` when none is usable, one is broken, or two share an id
 */
export function importJwkSet(set: JwkSet): readonly VerificationKey[] {
  const usable = set.keys.flatMap((jwk) => {
    const algorithm = algorithmOf(jwk)
    if (algorithm === null) return []
    // The private part, if there is one, is left behind: a verifier has no use for it.
    const { kty, crv, x, y } = jwk
    const publicKey = readKey(() => createPublicKey({ key: { kty, crv, x, y } as JsonWebKey, format: 'jwk' }))
    return [{ keyId: jwk.kid ?? thumbprintOf(publicKey), algorithm, publicKey }]
  })
  if (usable.length === 0) throw unusableKey('the JWK set holds no Ed25519 or P-256 key for signatures')
  return usable
}

/** Whether the keys come as a list rather than alone or as a JWK set. */
export function isKeyList<Key>(keys: Key | readonly Key[] | JwkSet): keys is readonly Key[] {
  return Array.isArray(keys)
}

function algorithmOf(jwk: Jwk): SigningAlgorithm | null {
  if (jwk.use !== undefined && jwk.use !== 'sig') return null
  const algorithm = jwk.kty === 'OKP' && jwk.crv === 'Ed25519' ? 'EdDSA' : jwk.kty === 'EC' && jwk.crv === 'P-256' ? 'ES256' : null
  return jwk.alg === undefined || jwk.alg === algorithm ? algorithm : null
}

function readKey(read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    // The cause is not kept: crypto errors may quote the key.
    throw unusableKey('the JWK is broken: its numbers are not a point of its curve')
  }
}

/** RFC 7638: the hash over the required members, in this order. */
function thumbprintOf(publicKey: KeyObject): string {
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
}

function unusableKey(message: string): ConfigurationError<'ERR_SECURITY_KEY'> {
  return new ConfigurationError(message, { code: 'ERR_SECURITY_KEY' })
}
