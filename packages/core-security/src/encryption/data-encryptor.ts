import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Encryptor } from '@smart-whale/interfaces'
import { EncryptionError } from '../errors.ts'
import type { EncryptionKey, KeyRing } from './key-ring.ts'

/**
 * A ciphertext, in this order: two letters that say what it is, the version, the length of the key's id and the id, a salt, the
 * commitment to the key, then AES-256-GCM's text and tag. All before the text is authenticated along with it.
 */
const MAGIC = Buffer.from('SW')
const VERSION = 1
const SALT_BYTES = 32
const COMMITMENT_BYTES = 32
const TAG_BYTES = 16
/** Each message has a key of its own, which is used once: so its nonce may be always the same. */
const NONCE = Buffer.alloc(12)

/**
 * Makes an {@link Encryptor} over the keys of a ring: AES-256-GCM, under a key of each message's own that follows from the ring's current
 * key and a random salt. There is no bound on how many messages one key is good for.
 *
 * A ciphertext is bound to its key (committing: no second key opens it as something else) and to its context, which has to be given again
 * to decrypt: a value that is moved to another row or column does not open there. What was encrypted under older keys of the ring is readable.
 *
 * `decrypt` throws {@link EncryptionError} `ERR_ENCRYPTION_FORMAT`, `ERR_ENCRYPTION_UNKNOWN_KEY` or `ERR_ENCRYPTION_ALTERED`.
 */
export function createDataEncryptor(ring: KeyRing): Encryptor {
  return {
    async encrypt(plaintext, context = {}) {
      const key = await ring.current()
      const header = Buffer.concat([MAGIC, Buffer.from([VERSION, Buffer.byteLength(key.id)]), Buffer.from(key.id), randomBytes(SALT_BYTES)])
      const { secret, commitment } = deriveKeys(key, header)
      const cipher = createCipheriv('aes-256-gcm', secret, NONCE)
      cipher.setAAD(authenticated(header, commitment, context))
      return new Uint8Array(Buffer.concat([header, commitment, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]))
    },
    async decrypt(ciphertext, context = {}) {
      const { keyId, header, commitment, text, tag } = takeApart(ciphertext)
      const key = await ring.find(keyId)
      if (key === undefined) throw new EncryptionError('ERR_ENCRYPTION_UNKNOWN_KEY', `the text is encrypted under the key "${keyId}", which is not in the key ring: bring the key back, or the data is lost`, { keyId })
      const derived = deriveKeys(key, header)
      if (!timingSafeEqual(derived.commitment, commitment)) throw altered()
      const decipher = createDecipheriv('aes-256-gcm', derived.secret, NONCE, { authTagLength: TAG_BYTES })
      decipher.setAAD(authenticated(header, commitment, context))
      decipher.setAuthTag(tag)
      try {
        return new Uint8Array(Buffer.concat([decipher.update(text), decipher.final()]))
      } catch {
        // Which of the three it is can't be told, and must not be.
        throw altered()
      }
    },
  }
}

/** The id of the key that a ciphertext needs. @throws EncryptionError `ERR_ENCRYPTION_FORMAT` */
export function keyIdOf(ciphertext: Uint8Array): string {
  return takeApart(ciphertext).keyId
}

function takeApart(ciphertext: Uint8Array): { keyId: string; header: Buffer; commitment: Buffer; text: Buffer; tag: Buffer } {
  const bytes = Buffer.from(ciphertext.buffer, ciphertext.byteOffset, ciphertext.byteLength)
  const idEnd = 4 + (bytes[3] ?? 0)
  const headerEnd = idEnd + SALT_BYTES
  const textStart = headerEnd + COMMITMENT_BYTES
  const isOurs = bytes.subarray(0, 2).equals(MAGIC) && bytes[2] === VERSION && bytes.length >= textStart + TAG_BYTES
  if (!isOurs) throw new EncryptionError('ERR_ENCRYPTION_FORMAT', 'this is no text that was encrypted here: its beginning is wrong, or it is cut off')
  return {
    keyId: bytes.toString('utf8', 4, idEnd),
    header: bytes.subarray(0, headerEnd),
    commitment: bytes.subarray(headerEnd, textStart),
    text: bytes.subarray(textStart, bytes.length - TAG_BYTES),
    tag: bytes.subarray(bytes.length - TAG_BYTES),
  }
}

/** The header holds the salt, and all that says how it is to be read. */
function deriveKeys(key: EncryptionKey, header: Buffer): { secret: Buffer; commitment: Buffer } {
  const derived = Buffer.from(hkdfSync('sha256', key.secret, header.subarray(-SALT_BYTES), Buffer.concat([Buffer.from('smart-whale data encryption '), header.subarray(0, -SALT_BYTES)]), 64))
  return { secret: derived.subarray(0, 32), commitment: derived.subarray(32) }
}

/** With the lengths, so that no two contexts are written alike; sorted, so that the order in which they are given doesn't count. */
function authenticated(header: Buffer, commitment: Buffer, context: Readonly<Record<string, string>>): Buffer {
  const members = Object.entries(context).sort(([one], [other]) => (one < other ? -1 : 1))
  const texts = members.flat().map((text) => Buffer.from(text))
  return Buffer.concat([header, commitment, ...texts.flatMap((text) => [lengthOf(text), text])])
}

function lengthOf(text: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return length
}

const altered = (): EncryptionError => new EncryptionError('ERR_ENCRYPTION_ALTERED', 'the text can not be decrypted: it was altered, or its context or key is another one than when it was encrypted')
