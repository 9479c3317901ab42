/** The bytes of one segment, wherever they are kept. What was appended never changes. */
export interface SegmentBytes {
  /** Durable bytes; a read never goes beyond. */
  readonly size: number
  /** Whether what is read back may differ from what was written, so that checksums must be looked at. */
  readonly mayRot: boolean
  /** Resolves when the bytes are durable. Never called while another append is under way. */
  append(bytes: Buffer): Promise<void>
  /** Up to `length` bytes; fewer at the end. */
  read(position: number, length: number): Promise<Buffer>
  /** Frees what keeps the bytes open; they stay where they are. */
  close(): Promise<void>
  /** Closes and deletes. */
  remove(): Promise<void>
}
