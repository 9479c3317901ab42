/** Castagnoli's polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78

/** Eight tables of 256: each says what a byte does to the checksum that many bytes later. */
const TABLES = makeTables()

/**
 * CRC-32C of the bytes from `start` to `end`. Eight bytes a turn: one table look-up for each, none waiting for another.
 * (`node:zlib` has CRC-32 only, with another polynomial.)
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const table = TABLES
  let crc = -1
  let at = start
  for (const last = end - 7; at < last; at += 8) {
    const low = crc ^ ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24))
    crc =
      (table[0x700 | (low & 0xff)] as number) ^
      (table[0x600 | ((low >>> 8) & 0xff)] as number) ^
      (table[0x500 | ((low >>> 16) & 0xff)] as number) ^
      (table[0x400 | (low >>> 24)] as number) ^
      (table[0x300 | (bytes[at + 4] as number)] as number) ^
      (table[0x200 | (bytes[at + 5] as number)] as number) ^
      (table[0x100 | (bytes[at + 6] as number)] as number) ^
      (table[bytes[at + 7] as number] as number)
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return (crc ^ -1) >>> 0
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256] as number
    tables[index] = (before >>> 8) ^ (tables[before & 0xff] as number)
  }
  return tables
}
