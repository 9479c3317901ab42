import type { ByteReader } from './byte-reader.ts'
import type { CellDecoder } from './cell-decoder-port.ts'

/** A day as ISO text. */
export function isoDay(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}

/** `DateTime64`: up to milliseconds a `Date`; a finer column is ISO text with all its digits, since a `Date` would lose some. */
export function ticksDecoder(precision: number): CellDecoder {
  if (precision > 3) return (reader) => isoTime(reader.buffer.readBigInt64LE(reader.take(8)), precision)
  const perTick = 10 ** (3 - precision)
  return (reader) => new Date(Number(reader.buffer.readBigInt64LE(reader.take(8))) * perTick)
}

function isoTime(ticks: bigint, precision: number): string {
  const perSecond = 10n ** BigInt(precision)
  const fraction = BigInt.asUintN(64, ((ticks % perSecond) + perSecond) % perSecond)
  const seconds = new Date(Number((ticks - fraction) / perSecond) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(fraction).padStart(precision, '0')}Z`
}

/** `Time`: hours, minutes and seconds as text; hours may be many, and the whole below zero. */
export function timeOfDay(reader: ByteReader): string {
  return clockText(BigInt(reader.buffer.readInt32LE(reader.take(4))), 0)
}

/** `Time64`: the same with as many digits of a second as the column has. */
export function fineTimeOfDay(precision: number): CellDecoder {
  return (reader) => clockText(reader.buffer.readBigInt64LE(reader.take(8)), precision)
}

function clockText(ticks: bigint, precision: number): string {
  const perSecond = 10n ** BigInt(precision)
  const magnitude = ticks < 0n ? -ticks : ticks
  const seconds = Number(magnitude / perSecond)
  const two = (part: number): string => String(part).padStart(2, '0')
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  const fraction = precision === 0 ? '' : `.${String(magnitude % perSecond).padStart(precision, '0')}`
  return `${ticks < 0n ? '-' : ''}${clock}${fraction}`
}
