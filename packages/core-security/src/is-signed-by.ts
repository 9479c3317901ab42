import { verify } from 'node:crypto'
import type { VerificationKey } from './signing-keys.ts'

/** Whether the bytes carry the key's signature, made with the key's own algorithm (RFC 7518 §3.4, RFC 8037). */
export function isSignedBy({ algorithm, publicKey }: VerificationKey, signed: Uint8Array, signature: Uint8Array): boolean {
  return algorithm === 'EdDSA' ? verify(null, signed, publicKey, signature) : verify('sha256', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
}
