/** Castagnoli's polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78

/** How many bytes are taken in a turn, each with a table of its own. */
const TURN = 16

/** Sixteen tables of 256: each says what a byte does to the checksum that many bytes later. */
const TABLES = makeTables()

const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/**
 * CRC-32C of the bytes from `start` to `end`: sixteen bytes a turn, read as words, no look-up waiting for another. It is looked
 * at for every byte that is sent or fetched, and takes most of the time of both. (`node:zlib` has CRC-32 only, with another polynomial.)
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const aligned = start + (-(bytes.byteOffset + start) & 3)
  const turns = Math.floor((end - aligned) / TURN)
  if (turns < 1 || !IS_LITTLE_ENDIAN) return (byteByByte(bytes, start, end, -1) ^ -1) >>> 0
  const rest = aligned + turns * TURN
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, turns * 4)
  const crc = turnByTurn(words, byteByByte(bytes, start, aligned, -1))
  return (byteByByte(bytes, rest, end, crc) ^ -1) >>> 0
}

function turnByTurn(words: Int32Array, before: number): number {
  const table = TABLES
  let crc = before
  for (let at = 0; at < words.length; at += 4) {
    const first = crc ^ (words[at] as number)
    const second = words[at + 1] as number
    const third = words[at + 2] as number
    const fourth = words[at + 3] as number
    crc =
      (table[0xf00 | (first & 0xff)] as number) ^
      (table[0xe00 | ((first >>> 8) & 0xff)] as number) ^
      (table[0xd00 | ((first >>> 16) & 0xff)] as number) ^
      (table[0xc00 | (first >>> 24)] as number) ^
      (table[0xb00 | (second & 0xff)] as number) ^
      (table[0xa00 | ((second >>> 8) & 0xff)] as number) ^
      (table[0x900 | ((second >>> 16) & 0xff)] as number) ^
      (table[0x800 | (second >>> 24)] as number) ^
      (table[0x700 | (third & 0xff)] as number) ^
      (table[0x600 | ((third >>> 8) & 0xff)] as number) ^
      (table[0x500 | ((third >>> 16) & 0xff)] as number) ^
      (table[0x400 | (third >>> 24)] as number) ^
      (table[0x300 | (fourth & 0xff)] as number) ^
      (table[0x200 | ((fourth >>> 8) & 0xff)] as number) ^
      (table[0x100 | ((fourth >>> 16) & 0xff)] as number) ^
      (table[fourth >>> 24] as number)
  }
  return crc
}

function byteByByte(bytes: Uint8Array, start: number, end: number, before: number): number {
  let crc = before
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return crc
}

function makeTables(): Int32Array {
  const tables = new Int32Array(TURN * 256)
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
