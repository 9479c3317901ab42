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
  if (value instanceof Map) return entriesToWire(value as Map<unknown, unknown>)
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as unknown as ArrayLike<unknown>, toWire)
  if (Array.isArray(value) || value instanceof Set) return Array.from(value as Iterable<unknown>, toWire)
  return typeof value === 'object' ? objectToWire(value as Readonly<Record<string, unknown>>) : null
}

function objectToWire(value: Readonly<Record<string, unknown>>): JsonValue {
  // In most objects every name is harmless, and a plain object is the fastest that there is.
  if (Object.hasOwn(value, '__proto__')) return entriesToWire(Object.entries(value))
  const result: { [key: string]: JsonValue } = {}
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (member !== undefined) result[key] = toWire(member)
  }
  return result
}

function entriesToWire(entries: Iterable<readonly [unknown, unknown]>): JsonValue {
  const wire: [string, JsonValue][] = []
  for (const [key, value] of entries) if (value !== undefined) wire.push([String(key), toWire(value)])
  return Object.fromEntries(wire)
}

function bytesToBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
