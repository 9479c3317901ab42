import type { RecordBatch } from '../../src/transport.ts'

/** A record of a {@link batchOf}: its value, or value and headers. */
export interface BatchedValue {
  readonly value: Uint8Array | string | null
  readonly headers?: Readonly<Record<string, string>>
}

/** A batch of records as a transport would give it, for tests. */
export function batchOf(records: readonly (BatchedValue | string | null)[], topic = 'rides'): RecordBatch {
  const all = records.map((record) => (typeof record === 'object' && record !== null ? record : { value: record }))
  const values = all.map(({ value }) => (typeof value === 'string' ? Buffer.from(value) : value))
  return {
    topic,
    partition: 3,
    length: values.length,
    bytes: values.reduce((sum, value) => sum + (value?.length ?? 0), 0),
    nextOffset: BigInt(values.length),
    offsetAt: (index) => BigInt(index),
    timestampAt: () => Date.UTC(2026, 0, 1),
    keyAt: () => null,
    valueAt: (index) => values[index] ?? null,
    headersAt: (index) => Object.fromEntries(Object.entries(all[index]?.headers ?? {}).map(([name, text]) => [name, Buffer.from(text)])),
  }
}
