import type { RecordPosition } from '../transport.ts'
import type { DeadLetter } from './read-dead-letters.ts'

/** Which dead letters are meant: those that meet every condition given. */
export interface DeadLetterSelection {
  /** Reason codes. @default any */
  readonly codes?: readonly string[] | undefined
  /** A part of the reason's sentence, as it is written. @default any */
  readonly reasonContains?: string | undefined
  /** Schema versions; null stands for events that name none. @default any */
  readonly schemaVersions?: readonly (string | null)[] | undefined
  /** Where they lie in the dead-letter topic. @default anywhere */
  readonly positions?: readonly RecordPosition[] | undefined
  /** Partition of the original topic. @default any */
  readonly originPartition?: number | undefined
  /** Those that died at or after this moment. @default any */
  readonly since?: Date | undefined
  /** Those that died before this moment. @default any */
  readonly until?: Date | undefined
}

/** Compiles a selection. */
export function deadLetterFilter(selection: DeadLetterSelection): (letter: DeadLetter) => boolean {
  const { codes, reasonContains, schemaVersions, positions, originPartition, since, until } = selection
  const places = positions === undefined ? null : new Set(positions.map(placeOf))
  return (letter) =>
    (codes === undefined || codes.includes(letter.reason.code)) &&
    (reasonContains === undefined || letter.reason.message.includes(reasonContains)) &&
    (schemaVersions === undefined || schemaVersions.includes(letter.schemaVersion)) &&
    (places === null || places.has(placeOf(letter.position))) &&
    (originPartition === undefined || letter.origin?.partition === originPartition) &&
    (since === undefined || letter.timestamp >= since.getTime()) &&
    (until === undefined || letter.timestamp < until.getTime())
}

/** A position as a text, like `0-17`: partition, then offset. */
export function placeOf({ partition, offset }: RecordPosition): string {
  return `${partition}-${offset}`
}
