/** Where the answers to requests with an `Idempotency-Key` are kept; made by the built-in migrations. */
export const IDEMPOTENCY_KEYS_TABLE = 'smart_whale_idempotency_keys'
