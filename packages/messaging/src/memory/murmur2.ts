const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995

/**
 * The hash by which Kafka's clients choose a partition, bit for bit: 32-bit MurmurHash2 with Kafka's seed, signed.
 * Austin Appleby, "MurmurHash2", 2008; Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  let hash = SEED ^ length
  const wholeWords = length & ~3
  for (let i = 0; i < wholeWords; i += 4) {
    let word = at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24)
    word = Math.imul(word, MULTIPLIER)
    word ^= word >>> 24
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER)
  }
  const left = length - wholeWords
  if (left >= 3) hash ^= at(bytes, wholeWords + 2) << 16
  if (left >= 2) hash ^= at(bytes, wholeWords + 1) << 8
  if (left >= 1) hash = Math.imul(hash ^ at(bytes, wholeWords), MULTIPLIER)
  hash ^= hash >>> 13
  hash = Math.imul(hash, MULTIPLIER)
  return hash ^ (hash >>> 15)
}

const at = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0

/** The partition that Kafka's default partitioner gives a key. */
export const partitionOfKey = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions
