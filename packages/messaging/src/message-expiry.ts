/** The header that says when a message is of no use any more, in milliseconds since the epoch. */
export const EXPIRES_HEADER = 'smartwhale-expires-at'

type Dictionary = Readonly<Record<string, unknown>>

/**
 * When a message is of no use any more, in milliseconds since the epoch; undefined when it never says so. The header wins;
 * otherwise a message with `metadata` on the wire is asked for its `expires_at`, and for its `timestamp` and `ttl`.
 */
export function expiryOf(headers: Readonly<Record<string, Uint8Array>>, value: unknown): number | undefined {
  const header = headers[EXPIRES_HEADER]
  if (header !== undefined) {
    const text = Buffer.from(header).toString('utf8')
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  }
  const metadata = isDictionary(value) && isDictionary(value['metadata']) ? value['metadata'] : undefined
  return metadata === undefined ? undefined : metadataExpiry({ timestamp: metadata['timestamp'], ttl: metadata['ttl'], expiresAt: metadata['expires_at'] })
}

/** When a message with these metadata is of no use any more; the earlier of its two limits. */
export function metadataExpiry({ timestamp, ttl, expiresAt }: { timestamp?: unknown; ttl?: unknown; expiresAt?: unknown }): number | undefined {
  const limits: number[] = []
  if (typeof expiresAt === 'string') limits.push(Date.parse(expiresAt))
  if (typeof ttl === 'number' && typeof timestamp === 'string') limits.push(Date.parse(timestamp) + ttl * 1_000)
  const known = limits.filter((limit) => !Number.isNaN(limit))
  return known.length === 0 ? undefined : Math.min(...known)
}

const isDictionary = (value: unknown): value is Dictionary => typeof value === 'object' && value !== null && !Array.isArray(value)
