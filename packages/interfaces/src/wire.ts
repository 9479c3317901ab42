/** Any value that JSON has. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }

/**
 * A value as it goes over the wire: 64-bit integers and decimals are strings, times are ISO 8601 UTC,
 * bytes are base64, Map is an object, Set and other typed arrays are arrays; numbers that JSON lacks (NaN, Infinity) are null.
 */
export function toWire(value: unknown): JsonValue {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Uint8Array) return bytesToBase64(value)
  if (value instanceof Map) return objectToWire(value as Map<unknown, unknown>)
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as unknown as ArrayLike<unknown>, toWire)
  if (Array.isArray(value) || value instanceof Set) return [...(value as Iterable<unknown>)].map(toWire)
  if (typeof value === 'object') return objectToWire(Object.entries(value))
  return null
}

function objectToWire(entries: Iterable<readonly [unknown, unknown]>): JsonValue {
  const result: { [key: string]: JsonValue } = Object.create(null) as { [key: string]: JsonValue }
  for (const [key, value] of entries) if (value !== undefined) result[String(key)] = toWire(value)
  return { ...result }
}

function bytesToBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
