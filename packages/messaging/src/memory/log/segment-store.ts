import type { Segment } from './segment.ts'

/** Makes, finds and finishes the segments of one partition, in memory or in a folder. */
export interface SegmentStore {
  /** The segments that are there, by offset; at least one. */
  open(): Promise<Segment[]>
  create(baseOffset: number): Promise<Segment>
  /** Called for a segment that won't grow any more. */
  seal(segment: Segment): Promise<void>
  remove(segment: Segment): Promise<void>
  /** Deletes whatever belongs to the partition. */
  removeAll(): Promise<void>
}
