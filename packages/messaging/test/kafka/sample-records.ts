import type { OutgoingRecord } from '../../src/transport.ts'

/** A record as any client hands it over or gets it. */
export interface SampleRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
  readonly timestamp: number
}

const BASE_TIME = 1_700_000_000_000

/** Records of every shape: without key, tombstones, empty, long, in any script, with headers and without, back in time. */
export const SAMPLE: readonly SampleRecord[] = [
  record('plain', 'value'),
  record(null, 'without a key'),
  record('tombstone', null),
  record('', ''),
  record('鯨', 'кит — baleine 🐋', { 'content-type': Buffer.from('text/plain'), empty: Buffer.alloc(0), '鰭': Buffer.from('鯨') }),
  record('bytes', Buffer.from(Array.from({ length: 256 }, (_, index) => index))),
  record('repeated', 'abc'.repeat(20_000)),
  record('noise', Buffer.from(Array.from({ length: 70_000 }, (_, index) => (Math.imul(index, 2_654_435_761) >>> 11) & 0xff))),
  { ...record('earlier', 'than the first of its batch'), timestamp: BASE_TIME - 86_400_000 },
  ...Array.from({ length: 200 }, (_, index) => record(`key-${index}`, JSON.stringify({ index, text: 'whale '.repeat(index % 7) }), { trace: Buffer.from(String(index)) })),
]

function record(key: string | null, value: string | Buffer | null, headers: Record<string, Buffer> = {}): SampleRecord {
  return { key: key === null ? null : Buffer.from(key), value: value === null ? null : Buffer.from(value), headers, timestamp: BASE_TIME }
}

/** As our own encoder takes them. */
export const outgoing = (records: readonly SampleRecord[]): OutgoingRecord[] => records.map(({ key, value, headers, timestamp }) => ({ key, value, headers, timestamp }))
