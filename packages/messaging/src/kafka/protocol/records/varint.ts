// Zigzag varints: small numbers of either sign are short. Numbers of up to 53 bits, as floating point: no bigint per record.

const TWO_POW_31 = 2 ** 31

/** How many bytes {@link writeVarint} needs. */
export function varintSize(value: number): number {
  let rest = zigzag(value)
  let size = 1
  for (; rest >= TWO_POW_31; size++) rest = Math.floor(rest / 128)
  for (; rest >= 128; size++) rest >>>= 7
  return size
}

/** Writes a number and says where the next byte goes. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = zigzag(value)
  let position = at
  while (rest >= TWO_POW_31) {
    bytes[position++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 128) {
    bytes[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[position++] = rest
  return position
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}
