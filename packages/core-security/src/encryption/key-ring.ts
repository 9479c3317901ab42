import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '@smart-whale/interfaces'
import { wrongOption } from '../check-option.ts'

/** A key that data is encrypted under. */
export interface EncryptionKey {
  /** Stands in each ciphertext: letters, digits, `-` and `_`. */
  readonly id: string
  readonly secret: KeyObject
  /** Since the epoch; of several keys, the one made last is the current one. */
  readonly createdAtMs: number
}

/** The keys that data is encrypted under, now and earlier. */
export interface KeyRing {
  /** The key for what is encrypted from now on. */
  current(): Promise<EncryptionKey>
  /** The key of that id, if it is there. */
  find(id: string): Promise<EncryptionKey | undefined>
  /** Makes a new key the current one, a random one or the one given (32 bytes); the earlier ones stay readable. */
  rotate(secret?: Uint8Array): Promise<EncryptionKey>
  /** Destroys a key that is not the current one: what is encrypted under it can't be read any more, by anybody. Whether it was there. */
  remove(id: string): Promise<boolean>
  /** Ids of all keys, the current one last. */
  ids(): Promise<string[]>
}

/** @throws ValidationError `ERR_SECURITY_OPTIONS` for a secret that isn't 32 bytes */
export function makeEncryptionKey(secret: Uint8Array = randomBytes(32), nowMs = Date.now()): EncryptionKey {
  if (!(secret instanceof Uint8Array) || secret.length !== 32) throw wrongOption('secret', secret, 'must be 32 random bytes, such as randomBytes(32) of node:crypto gives')
  return { id: `k${nowMs.toString(36)}-${randomBytes(6).toString('hex')}`, secret: createSecretKey(secret), createdAtMs: nowMs }
}

/** The later one counts; of two made at the same time, the one whose id is greater. */
export const byAge = (one: EncryptionKey, other: EncryptionKey): number => one.createdAtMs - other.createdAtMs || (one.id < other.id ? -1 : 1)

/** What {@link createKeyRing} is made from. */
export interface KeyRingOptions {
  /** Keys to begin with. @default a random one */
  keys?: readonly EncryptionKey[] | undefined
  /** Source of the time. @default systemClock */
  clock?: Clock | undefined
}

/** A key ring in memory, for tests and for keys that come from elsewhere. */
export function createKeyRing({ keys, clock = systemClock }: KeyRingOptions = {}): KeyRing {
  const byId = new Map((keys ?? [makeEncryptionKey(undefined, clock.now())]).map((key) => [key.id, key]))
  if (byId.size === 0) throw wrongOption('keys', keys, 'must hold at least one key')
  const sorted = (): EncryptionKey[] => [...byId.values()].sort(byAge)
  const current = (): EncryptionKey => sorted().at(-1) as EncryptionKey
  return {
    current: async () => current(),
    find: async (id) => byId.get(id),
    async rotate(secret) {
      // Never older than the one before, whatever the clock says.
      const key = makeEncryptionKey(secret, Math.max(clock.now(), current().createdAtMs + 1))
      byId.set(key.id, key)
      return key
    },
    async remove(id) {
      if (id === current().id) throw wrongOption('id', id, 'must not be the current key; rotate first')
      return byId.delete(id)
    },
    ids: async () => sorted().map(({ id }) => id),
  }
}
