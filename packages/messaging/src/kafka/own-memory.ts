/**
 * Large buffers of which nobody else has a view, so that they can be freed by hand.
 *
 * What a fetch brings lies outside of V8's heap, and V8 answers each 64 MB of that by marking all of the heap, however small. For who reads
 * hundreds of megabytes a second that costs as much as to decode them. Given back, memory is free at once and counts no more; what is never
 * given back is left to the collector.
 */
const OWN = new WeakSet<ArrayBufferLike>()

/** Buffers are a multiple of it, so that one fits in place of another. */
const STEP = 64 * 1024
/** Smaller ones come from the allocator and go back to it. */
const LEAST_KEPT = 2 * STEP
/** What is kept to be used again, of all buffers: the allocator, given holes of a megabyte among smaller things, would rather take new memory. */
const MOST_KEPT = 8 * 1024 * 1024
const kept: ArrayBuffer[] = []
let keptBytes = 0

/** A buffer that nobody else has. */
export function ownMemory(byteLength: number): Buffer {
  if (byteLength < LEAST_KEPT) return own(Buffer.allocUnsafeSlow(byteLength))
  const memory = takeKept(byteLength) ?? Buffer.allocUnsafeSlow(Math.ceil(byteLength / STEP) * STEP).buffer
  OWN.add(memory)
  return Buffer.from(memory, 0, byteLength)
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
  if (!OWN.delete(buffer)) return
  const { byteLength } = buffer
  const isKept = byteLength >= LEAST_KEPT && byteLength % STEP === 0 && keptBytes + byteLength <= MOST_KEPT
  // The same memory under a new name, so that a view that somebody has forgotten shows nothing, rather than what lies there next.
  const renamed = (buffer as ArrayBuffer).transfer(isKept ? byteLength : 0)
  if (!isKept) return
  kept.push(renamed)
  keptBytes += byteLength
}

/** The smallest one that is large enough, and not much too large. */
function takeKept(byteLength: number): ArrayBuffer | undefined {
  let best = -1
  for (const [place, { byteLength: size }] of kept.entries()) {
    if (size >= byteLength && size <= 2 * byteLength && (best < 0 || size < (kept[best] as ArrayBuffer).byteLength)) best = place
  }
  if (best < 0) return undefined
  const [memory] = kept.splice(best, 1)
  keptBytes -= memory?.byteLength ?? 0
  return memory
}
