import { MemorySegmentBytes } from './memory-segment-bytes.ts'
import { Segment } from './segment.ts'
import type { SegmentStore } from './segment-store.ts'

/** Segments that live in this process alone. */
export function createMemorySegmentStore(): SegmentStore {
  const create = (baseOffset: number): Promise<Segment> =>
    Promise.resolve(new Segment({ bytes: new MemorySegmentBytes(), baseOffset, salt: 0, preambleBytes: 0 }))
  return {
    open: async () => [await create(0)],
    create,
    seal: () => Promise.resolve(),
    remove: (segment) => segment.bytes.remove(),
    removeAll: () => Promise.resolve(),
  }
}
