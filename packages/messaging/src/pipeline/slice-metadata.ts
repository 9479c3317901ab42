import { OperationError, type Slice, type SliceState } from '@smart-whale/interfaces'
import type { CommittedOffset } from '../transport.ts'

/** What a broker stores beside an offset, by default: characters of ASCII. */
export const MAX_METADATA_LENGTH = 4096

/** Most offsets of a slice whose exclusions fit beside an offset, whichever of them they are. */
export const MAX_SLICE_SPAN = 20_000

/** The state as it is written: short names, because there is little room. */
interface Written {
  readonly v: 1
  /** Epoch and owner. */
  readonly e: string
  readonly o: string
  /** Id of the topic: the group has its offset under the topic's name. */
  readonly i?: string
  /** First and last offset, token and exclusions of the slice in flight. */
  readonly f?: string
  readonly l?: string
  readonly t?: string
  readonly x?: string
  /** Where its dead letters are looked for. */
  readonly d?: readonly [partition: number, offset: string]
  /** Which pipeline recorded it, where that is another one. */
  readonly p?: string
}

/**
 * What is stored beside the committed offset.
 * @throws OperationError `ERR_MESSAGING_LEDGER_FULL` for a slice that spans more than {@link MAX_SLICE_SPAN} offsets, of which too many are excluded
 */
export function metadataOf({ epoch, owner, inFlight }: SliceState, topicId: string): string {
  const written: Written = { v: 1, e: String(epoch), o: owner, i: topicId, ...(inFlight === null ? {} : writtenSlice(inFlight)) }
  const text = JSON.stringify(written).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  if (text.length <= MAX_METADATA_LENGTH) return text
  throw new OperationError(
    `a slice needs ${text.length} characters beside the group's offset, and there is room for ${MAX_METADATA_LENGTH}: let slices span at most ${MAX_SLICE_SPAN} offsets, and keep the owner's name short`,
    { code: 'ERR_MESSAGING_LEDGER_FULL' },
  )
}

/**
 * The state that a group's offset stands for; null when it was committed for an earlier topic of that name. An offset that somebody else
 * committed says where to go on, and nothing more.
 */
export function stateOf({ offset, metadata }: CommittedOffset, topicId: string): SliceState | null {
  const written = parsed(metadata)
  if (written === null) return { nextOffset: offset, inFlight: null, epoch: 0n, owner: '' }
  if (written.i !== undefined && written.i !== topicId) return null
  return { nextOffset: offset, inFlight: readSlice(written), epoch: BigInt(written.e), owner: written.o }
}

function writtenSlice({ firstOffset, lastOffset, token, excluded, deadLettersFrom, recordedBy }: Slice): Partial<Written> {
  return {
    f: String(firstOffset),
    l: String(lastOffset),
    t: token,
    ...(excluded.length === 0 ? {} : { x: writtenOffsets(excluded, firstOffset) }),
    ...(deadLettersFrom === undefined ? {} : { d: [deadLettersFrom.partition, String(deadLettersFrom.offset)] as const }),
    ...(recordedBy === undefined ? {} : { p: recordedBy }),
  }
}

function readSlice({ f, l, t, x, d, p }: Written): Slice | null {
  if (f === undefined || l === undefined || t === undefined) return null
  const firstOffset = BigInt(f)
  return {
    firstOffset,
    lastOffset: BigInt(l),
    token: t,
    excluded: x === undefined ? [] : readOffsets(x, firstOffset),
    ...(d === undefined ? {} : { deadLettersFrom: { partition: d[0], offset: BigInt(d[1]) } }),
    ...(p === undefined ? {} : { recordedBy: p }),
  }
}

function parsed(metadata: string): Written | null {
  try {
    const written = JSON.parse(metadata) as Written | null
    return written?.v === 1 ? written : null
  } catch {
    return null
  }
}

/** Ascending offsets, counted from the first of their slice: as runs (`r` and pairs of gap and length), or a bit each (`b`), whichever is shorter. */
function writtenOffsets(offsets: readonly bigint[], firstOffset: bigint): string {
  const runs = `r${runsOf(offsets, firstOffset).join()}`
  const span = (offsets.at(-1) ?? firstOffset) - firstOffset + 1n
  if (span > BigInt(runs.length) * 6n) return runs
  const bits = Buffer.alloc(Math.ceil(Number(span) / 8))
  for (const offset of offsets) {
    const place = Number(offset - firstOffset)
    bits[place >> 3] = (bits[place >> 3] ?? 0) | (1 << (place & 7))
  }
  const bitmap = `b${bits.toString('base64url')}`
  return bitmap.length < runs.length ? bitmap : runs
}

function runsOf(offsets: readonly bigint[], firstOffset: bigint): string[] {
  const runs: string[] = []
  let end = firstOffset
  for (let index = 0; index < offsets.length; ) {
    const start = offsets[index] as bigint
    let length = 1
    while (offsets[index + length] === start + BigInt(length)) length++
    runs.push((start - end).toString(36) + (length === 1 ? '' : `.${length.toString(36)}`))
    end = start + BigInt(length)
    index += length
  }
  return runs
}

function readOffsets(text: string, firstOffset: bigint): bigint[] {
  const offsets: bigint[] = []
  if (text.startsWith('b')) {
    const bits = Buffer.from(text.slice(1), 'base64url')
    for (let place = 0; place < bits.length * 8; place++) if (((bits[place >> 3] ?? 0) >> (place & 7)) & 1) offsets.push(firstOffset + BigInt(place))
    return offsets
  }
  let next = firstOffset
  for (const run of text.slice(1).split(',')) {
    const [gap = '0', length = '1'] = run.split('.')
    next += bigintOf(gap)
    for (let left = Number.parseInt(length, 36); left > 0; left--) offsets.push(next++)
  }
  return offsets
}

function bigintOf(base36: string): bigint {
  return [...base36].reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n)
}
