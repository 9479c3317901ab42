/** Sixteen bytes as Kafka's tools print them: 22 characters of base64url. */
export function kafkaUuid(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/** The bytes behind {@link kafkaUuid}; the id that means "none" for what isn't one. */
export function kafkaUuidBytes(id: string): Uint8Array {
  const bytes = Buffer.from(id, 'base64url')
  return bytes.length === 16 ? bytes : Buffer.alloc(16)
}
