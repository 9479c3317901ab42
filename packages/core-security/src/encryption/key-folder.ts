import { createSecretKey, randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, ConfigurationError, type Encryptor, InfrastructureError, systemClock } from '@smart-whale/interfaces'
import { wrongOption } from '../check-option.ts'
import { byAge, type EncryptionKey, type KeyRing, makeEncryptionKey } from './key-ring.ts'

/** What {@link openKeyFolder} is made from. */
export interface KeyFolderOptions {
  /** Folder that holds one file a key, mode 600; made with a first key when it is not there. @default none, required */
  path: string
  /** Encrypts the files themselves: an encryptor whose keys lie elsewhere, such as in a key management service. @default none: file modes protect them */
  protection?: Encryptor | undefined
  /** Source of the time. @default systemClock */
  clock?: Clock | undefined
}

const SUFFIX = '.key'

/**
 * The key ring that lies in a folder, one file a key: so several processes may rotate at once and no key is ever lost. A key that another
 * process has made is found when it is asked for.
 *
 * @throws ConfigurationError `ERR_SECURITY_KEY_FILE` when a file can't be read or written, is broken, or others may read it
 */
export async function openKeyFolder(options: KeyFolderOptions): Promise<KeyRing> {
  const folder = new KeyFolder(options)
  await folder.open()
  return folder
}

class KeyFolder implements KeyRing {
  readonly #path: string
  readonly #protection: Encryptor | undefined
  readonly #clock: Clock
  #keys = new Map<string, EncryptionKey>()

  constructor({ path, protection, clock = systemClock }: KeyFolderOptions) {
    this.#path = path
    this.#protection = protection
    this.#clock = clock
  }

  async open(): Promise<void> {
    await this.#explained(async () => {
      await mkdir(this.#path, { recursive: true, mode: 0o700 })
      await this.#read()
      if (this.#keys.size === 0) await this.#add(makeEncryptionKey(undefined, this.#clock.now()))
    })
  }

  async current(): Promise<EncryptionKey> {
    return this.#sorted().at(-1) as EncryptionKey
  }

  async find(id: string): Promise<EncryptionKey | undefined> {
    if (!this.#keys.has(id)) await this.#explained(() => this.#read())
    return this.#keys.get(id)
  }

  async rotate(secret?: Uint8Array): Promise<EncryptionKey> {
    return this.#explained(async () => {
      await this.#read()
      const latest = this.#sorted().at(-1)?.createdAtMs ?? 0
      // Never older than the one before, whatever the clock says.
      const key = makeEncryptionKey(secret, Math.max(this.#clock.now(), latest + 1))
      await this.#add(key)
      return key
    })
  }

  async remove(id: string): Promise<boolean> {
    return this.#explained(async () => {
      await this.#read()
      if (id === (await this.current()).id) throw wrongOption('id', id, 'must not be the current key; rotate first')
      if (!this.#keys.delete(id)) return false
      await rm(join(this.#path, `${id}${SUFFIX}`))
      return true
    })
  }

  async ids(): Promise<string[]> {
    await this.#explained(() => this.#read())
    return this.#sorted().map(({ id }) => id)
  }

  #sorted(): EncryptionKey[] {
    return [...this.#keys.values()].sort(byAge)
  }

  async #read(): Promise<void> {
    const names = (await readdir(this.#path)).filter((name) => name.endsWith(SUFFIX))
    const keys = await Promise.all(names.map((name) => this.#readKey(name.slice(0, -SUFFIX.length))))
    this.#keys = new Map(keys.map((key) => [key.id, key]))
  }

  async #readKey(id: string): Promise<EncryptionKey> {
    const known = this.#keys.get(id)
    if (known !== undefined) return known
    const path = join(this.#path, `${id}${SUFFIX}`)
    const { mode } = await stat(path)
    // Windows has no such bits and reports them all as set.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw keyFileError(path, 'may be read by others than its owner; take the key as known to them: rotate, and encrypt anew what it protects')
    const bytes = await readFile(path)
    const plain = this.#protection === undefined ? bytes : await this.#protection.decrypt(bytes, { key: id })
    const createdAtMs = Buffer.from(plain).readDoubleBE(0)
    if (plain.length !== 40 || !Number.isSafeInteger(createdAtMs)) throw keyFileError(path, 'holds no key; restore it: what is encrypted under it can not be read without')
    return { id, secret: createSecretKey(Buffer.from(plain).subarray(8)), createdAtMs }
  }

  /** Written whole under another name and then linked: nobody sees half a key, and none is overwritten. */
  async #add(key: EncryptionKey): Promise<void> {
    const plain = Buffer.alloc(40)
    plain.writeDoubleBE(key.createdAtMs)
    key.secret.export().copy(plain, 8)
    const bytes = this.#protection === undefined ? plain : await this.#protection.encrypt(plain, { key: key.id })
    const draft = join(this.#path, `${randomUUID()}.tmp`)
    try {
      const file = await open(draft, 'wx', 0o600)
      await file.writeFile(bytes)
      await file.sync()
      await file.close()
      await link(draft, join(this.#path, `${key.id}${SUFFIX}`))
    } finally {
      await rm(draft, { force: true })
    }
    this.#keys.set(key.id, key)
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (InfrastructureError.isInstance(error)) throw error
      throw keyFileError(this.#path, `can't be read or written (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}); check that it belongs to this user`, error)
    }
  }
}

function keyFileError(path: string, what: string, cause?: unknown): ConfigurationError<'ERR_SECURITY_KEY_FILE'> {
  return new ConfigurationError(`the key file ${path} ${what}`, { code: 'ERR_SECURITY_KEY_FILE', context: { path }, cause })
}
