import { type Encryptor, InfrastructureError } from '@smart-whale/interfaces'
import { EncryptionError } from '../operational-errors.ts'
import { encryptionKeyFolder } from './access-config.ts'
import { loadSecurity } from './security-peer.ts'

/** What {@link createEncryptionManager} is made from. */
export interface EncryptionManagerOptions {
  /** Folder of the keys, one file each; made with a first key when it is not there. @default the one that `ENCRYPTION_KEY_FOLDER` names */
  keyFolder?: string | undefined
  /** Encrypts and decrypts in place of `@smart-whale/core-security`. @default made over the keys in `keyFolder` */
  encryptor?: Encryptor | undefined
  /** Makes a new key the current one, for an `encryptor` of one's own. @default rotates the keys in `keyFolder` */
  rotate?: ((newKey?: Uint8Array) => Promise<unknown>) | undefined
}

/** Where a value stands, such as its table, column and row: it can be decrypted there and nowhere else. */
export type EncryptionContext = Readonly<Record<string, string>>

/** Encrypts values before they go into a table. */
export interface EncryptionManager {
  /** As text (base64url). @throws EncryptionError `ERR_CLICKHOUSE_ENCRYPTION` */
  encrypt(value: string | Uint8Array, context?: EncryptionContext): Promise<string>
  /** What {@link encrypt} was given, as text. @throws EncryptionError `ERR_CLICKHOUSE_ENCRYPTION` for another context, another key or an altered text */
  decrypt(encrypted: string, context?: EncryptionContext): Promise<string>
  /** As {@link decrypt}, as bytes. */
  decryptBytes(encrypted: string, context?: EncryptionContext): Promise<Uint8Array>
  /** What is encrypted from now on has a new key, a random one or the one given (32 bytes). What was encrypted before stays readable. */
  rotateKey(newKey?: Uint8Array): Promise<void>
}

/**
 * Makes an {@link EncryptionManager}.
 * @throws ConfigurationError when neither option nor variable says where the keys are, or the package is missing
 */
export async function createEncryptionManager(options: EncryptionManagerOptions = {}): Promise<EncryptionManager> {
  const { encryptor, rotate } = options.encryptor === undefined ? await encryptorOver(options.keyFolder ?? encryptionKeyFolder()) : { encryptor: options.encryptor, rotate: options.rotate }
  const decryptBytes = (encrypted: string, context?: EncryptionContext): Promise<Uint8Array> => mapped(async () => encryptor.decrypt(new Uint8Array(Buffer.from(encrypted, 'base64url')), context))
  return {
    encrypt: (value, context) => mapped(async () => Buffer.from(await encryptor.encrypt(typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value, context)).toString('base64url')),
    decryptBytes,
    decrypt: async (encrypted, context) => Buffer.from(await decryptBytes(encrypted, context)).toString(),
    rotateKey: (newKey) =>
      mapped(async () => {
        if (rotate === undefined) throw new EncryptionError('the encryptor that was handed in comes without a way to rotate its keys; hand in rotate as well')
        await rotate(newKey)
      }),
  }
}

async function encryptorOver(path: string): Promise<{ encryptor: Encryptor; rotate: (newKey?: Uint8Array) => Promise<unknown> }> {
  const { createDataEncryptor, openKeyFolder } = await loadSecurity('encryption and its keys')
  const ring = await openKeyFolder({ path })
  return { encryptor: createDataEncryptor(ring), rotate: (newKey) => ring.rotate(newKey) }
}

async function mapped<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (EncryptionError.isInstance(error)) throw error
    throw new EncryptionError(InfrastructureError.isInstance(error) ? error.message : 'the value could not be encrypted or decrypted; see the cause', { cause: error })
  }
}
