import { parseArray } from './parse-array.ts'

/** Turns the server's text of a value into ours. */
export type Decoder = (text: string) => unknown

const asText: Decoder = (text) => text
const asNumber: Decoder = (text) => Number(text)

/** Type id of a value to how it is read. Any other type stays the server's text. */
const SCALARS: Readonly<Record<number, Decoder>> = {
  16: (text) => text === 't',
  17: decodeBytes,
  20: (text) => BigInt(text),
  21: asNumber,
  23: asNumber,
  26: asNumber,
  114: (text) => JSON.parse(text) as unknown,
  700: asNumber,
  701: asNumber,
  // Listed although it stays text: a client library would make a moment of the day.
  1082: asText,
  1114: decodeTime,
  1184: decodeTime,
  3802: (text) => JSON.parse(text) as unknown,
}

/** Type id of an array to that of its elements. */
const ARRAYS: Readonly<Record<number, number>> = {
  199: 114,
  1000: 16,
  1001: 17,
  1002: 18,
  1003: 19,
  1005: 21,
  1007: 23,
  1009: 25,
  1014: 1042,
  1015: 1043,
  1016: 20,
  1021: 700,
  1022: 701,
  1028: 26,
  1040: 829,
  1041: 869,
  1115: 1114,
  1182: 1082,
  1183: 1083,
  1185: 1184,
  1187: 1186,
  1231: 1700,
  1270: 1266,
  2951: 2950,
  3807: 3802,
}

const DECODERS: ReadonlyMap<number, Decoder> = new Map([
  ...Object.entries(SCALARS).map(([typeId, decode]) => [Number(typeId), decode] as const),
  ...Object.entries(ARRAYS).map(([typeId, elementId]) => {
    const decode = SCALARS[elementId] ?? asText
    return [Number(typeId), (text: string) => parseArray(text, decode)] as const
  }),
])

/** How values of a type are read. */
export function decoderOf(typeId: number): Decoder {
  return DECODERS.get(typeId) ?? asText
}

/** Every type that isn't left as text. */
export function decodedTypes(): IterableIterator<[number, Decoder]> {
  return DECODERS.entries()
}

function decodeBytes(text: string): Uint8Array {
  // A copy: Buffer.from may hand out a part of a shared pool, and its class is not what is promised.
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'))
}

/** `2024-02-29 12:34:56.789012+00` and without a zone; sessions speak UTC. Microseconds are cut. `infinity` stays text: no Date can hold it. */
function decodeTime(text: string): Date | string {
  const match = /^(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:\+00)?( BC)?$/.exec(text)
  if (!match) return text
  const [, year, month, day, hour, minute, second, fraction = '', before] = match
  const time = new Date(0)
  time.setUTCFullYear(before ? 1 - Number(year) : Number(year), Number(month) - 1, Number(day))
  time.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.slice(0, 3).padEnd(3, '0')))
  // Beyond the year 275760 a Date has no value; the server's text has.
  return Number.isNaN(time.getTime()) ? text : time
}
