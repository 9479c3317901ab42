/**
 * Large buffers of which nobody else has a view, so that they can be freed by hand.
 *
 * What a fetch brings lies outside of V8's heap, and V8 answers each 64 MB of that by marking all of the heap, however small. For who reads
 * hundreds of megabytes a second that costs as much as to decode them. Given back, memory is free at once and counts no more; what is never
 * given back is left to the collector.
 */
const OWN = new WeakSet<ArrayBufferLike>()

/** A buffer that nobody else has. */
export function ownMemory(byteLength: number): Buffer {
  return own(Buffer.allocUnsafeSlow(byteLength))
}

/** A copy that nobody else has. */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = ownMemory(bytes.length)
  copy.set(bytes)
  return copy
}

/** Says that the bytes' memory is nobody else's. Passed over where they are but a part of it: a pool's buffers are such parts. */
export function own<T extends Uint8Array>(bytes: T): T {
  if (bytes.byteLength === bytes.buffer.byteLength) OWN.add(bytes.buffer)
  return bytes
}

/** Frees the memory that the bytes lie in, if it is known to be nobody else's: every view of it is empty from now on. */
export function giveBack({ buffer }: Uint8Array): void {
  if (OWN.delete(buffer)) (buffer as ArrayBuffer).transfer(0)
}
