const BITS_A_KEY = 10
const HASHES = 7

/**
 * Whether a key has been seen lately: two Bloom filters (B. Bloom, 1970), of which the older one is emptied when the younger one is full. Says "seen" of about one
 * new key in a hundred, and never "new" of one that was among the last `keys` different ones.
 */
export class SeenLately {
  readonly #keys: number
  readonly #bits: number
  #young: Uint32Array
  #old: Uint32Array
  #inYoung = 0

  constructor(keys: number) {
    this.#keys = keys
    this.#bits = keys * BITS_A_KEY
    this.#young = new Uint32Array(Math.ceil(this.#bits / 32))
    this.#old = new Uint32Array(this.#young.length)
  }

  /** Notes the key; whether it is new. */
  isNew(hash: number): boolean {
    if (this.#has(this.#young, hash)) return false
    const isNew = !this.#has(this.#old, hash)
    this.#put(hash)
    return isNew
  }

  #put(hash: number): void {
    for (let index = 0; index < HASHES; index++) {
      const bit = this.#bitOf(hash, index)
      this.#young[bit >>> 5]! |= 1 << (bit & 31)
    }
    if (++this.#inYoung < this.#keys) return
    const emptied = this.#old.fill(0)
    this.#old = this.#young
    this.#young = emptied
    this.#inYoung = 0
  }

  #has(filter: Uint32Array, hash: number): boolean {
    for (let index = 0; index < HASHES; index++) {
      const bit = this.#bitOf(hash, index)
      if ((filter[bit >>> 5]! & (1 << (bit & 31))) === 0) return false
    }
    return true
  }

  /** As many hashes as wanted from two (A. Kirsch, M. Mitzenmacher, 2006). */
  #bitOf(hash: number, index: number): number {
    const second = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 1
    return ((hash + Math.imul(index, second)) >>> 0) % this.#bits
  }
}
