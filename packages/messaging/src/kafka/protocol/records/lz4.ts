import { BoundedOutput } from './bounded-output.ts'
import { damagedBlock } from './damaged-block.ts'

const FRAME_MAGIC = 0x184d2204
/** Sixteen magics whose frames are to be passed over. */
const SKIPPABLE_MAGIC = 0x184d2a50
/** Bits of a frame's descriptor. */
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
const DICTIONARY = 0x01
/** Bit of a block's length that says that it wasn't compressed. */
const STORED = 0x8000_0000

/** Undoes LZ4's frames. Their checksums are passed over: the batch around them has a better one, which was looked at. */
export function decompressLz4(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const output = new BoundedOutput(input.length * 4, maxBytes)
  let at = 0
  while (at < input.length) at = readFrame(input, at, output)
  return output.written()
}

/** Says where the next frame begins. */
function readFrame(input: Buffer, start: number, output: BoundedOutput): number {
  const magic = word(input, start)
  if (magic - (magic % 16) === SKIPPABLE_MAGIC) return start + 8 + word(input, start + 4)
  if (magic !== FRAME_MAGIC) throw damagedBlock("doesn't begin as LZ4 does")
  const flags = input[start + 4]
  if (flags === undefined) throw damagedBlock('is cut off')
  const descriptor = 2 + ((flags & CONTENT_SIZE) === 0 ? 0 : 8) + ((flags & DICTIONARY) === 0 ? 0 : 4)
  let at = start + 4 + descriptor + 1
  for (;;) {
    const size = word(input, at)
    at += 4
    if (size === 0) break
    const length = size % STORED
    if (at + length > input.length) throw damagedBlock('is cut off')
    if (size >= STORED) output.append(input, at, at + length)
    else readBlock(input, at, at + length, output)
    at += length + ((flags & BLOCK_CHECKSUMS) === 0 ? 0 : 4)
  }
  return at + ((flags & CONTENT_CHECKSUM) === 0 ? 0 : 4)
}

/** Literals and repetitions by turns; a block ends with literals. */
function readBlock(input: Buffer, start: number, end: number, output: BoundedOutput): void {
  let at = start
  const extended = (short: number): number => {
    if (short < 15) return short
    let length = short
    for (;;) {
      if (at >= end) throw damagedBlock('is cut off')
      const more = input[at++] as number
      length += more
      if (more < 255) return length
    }
  }
  while (at < end) {
    const token = input[at++] as number
    const literals = extended(token >>> 4)
    if (at + literals > end) throw damagedBlock('is cut off')
    output.append(input, at, at + literals)
    at += literals
    if (at === end) return
    if (at + 2 > end) throw damagedBlock('is cut off')
    const distance = input.readUInt16LE(at)
    at += 2
    output.repeat(distance, 4 + extended(token & 0x0f))
  }
}

function word(input: Buffer, at: number): number {
  if (at + 4 > input.length) throw damagedBlock('is cut off')
  return input.readUInt32LE(at)
}
