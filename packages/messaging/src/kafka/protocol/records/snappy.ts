import { BoundedOutput } from './bounded-output.ts'
import { damagedBlock } from './damaged-block.ts'

/** What Java's library writes first; librdkafka writes one bare block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, a version, and the oldest version that can read it. */
const XERIAL_HEADER_BYTES = 16

/** Undoes Snappy, in blocks as Java's clients write it, or bare as others do. */
export function decompressSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const output = new BoundedOutput(input.length * 4, maxBytes)
  if (!input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    readBlock(input, output)
    return output.written()
  }
  let at = XERIAL_HEADER_BYTES
  while (at < input.length) {
    if (at + 4 > input.length) throw damagedBlock('is cut off')
    const length = input.readUInt32BE(at)
    const end = at + 4 + length
    if (end > input.length) throw damagedBlock('is cut off')
    readBlock(input.subarray(at + 4, end), output)
    at = end
  }
  return output.written()
}

function readBlock(block: Buffer, output: BoundedOutput): void {
  let at = 0
  const next = (): number => {
    const byte = block[at++]
    if (byte === undefined) throw damagedBlock('is cut off')
    return byte
  }
  const little = (count: number): number => {
    let value = 0
    for (let index = 0; index < count; index++) value += next() * 256 ** index
    return value
  }
  const length = readLength(next)
  const end = output.length + length
  // A byte stands for 22 at most, so that a length which lies reserves nothing.
  output.reserve(Math.min(length, block.length * 22))
  const begin = output.length
  while (at < block.length) {
    const tag = next()
    const kind = tag & 0x03
    if (kind === 0) {
      const short = tag >>> 2
      const count = 1 + (short < 60 ? short : little(short - 59))
      if (at + count > block.length) throw damagedBlock('is cut off')
      output.append(block, at, at + count)
      at += count
    } else {
      const count = kind === 1 ? 4 + ((tag >>> 2) & 0x07) : 1 + (tag >>> 2)
      const distance = kind === 1 ? ((tag >>> 5) << 8) | next() : little(kind === 2 ? 2 : 4)
      if (distance > output.length - begin) throw damagedBlock('repeats bytes from before its beginning')
      output.repeat(distance, count)
    }
    if (output.length > end) throw damagedBlock('is longer than it says')
  }
  if (output.length !== end) throw damagedBlock('is shorter than it says')
}

function readLength(next: () => number): number {
  let length = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = next()
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return length
  }
  throw damagedBlock('has a length that never ends')
}
