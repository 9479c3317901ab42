import { createHash } from 'node:crypto'
import type { CallOptions, JsonValue } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import type { TimescaleStorage, TimescaleTransaction } from '../timescale-storage.ts'

/** Where the answers to requests with an `Idempotency-Key` are kept; made by the built-in migrations. */
export const IDEMPOTENCY_KEYS_TABLE = 'smart_whale_idempotency_keys'

/** A request that may come twice. */
export interface IdempotentRequest {
  /** Whose and which: the same key means different requests in different scopes. */
  readonly scope: string
  readonly key: string
  /** What the request asks for; the same key with another body is a mistake of the caller. */
  readonly body: unknown
}

/** Fingerprint of a body. */
export function hashBody(body: unknown): string {
  return createHash('sha256').update(JSON.stringify(body) ?? '').digest('hex')
}

/**
 * Takes a key for the transaction, or gives the answer that was stored under it.
 *
 * Two requests with one key at once: the second waits here until the first has committed (and gets its answer) or rolled back (and takes over).
 *
 * @returns `undefined` when the key is the caller's now; then {@link keepAnswer} belongs into the same transaction as the work
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_IDEMPOTENCY_KEY` (409) when the key was used with another body
 */
export async function takeKey(
  transaction: Pick<TimescaleTransaction, 'execute'>,
  request: IdempotentRequest,
  ttlSeconds: number,
  call: CallOptions,
): Promise<JsonValue | undefined> {
  const hash = hashBody(request.body)
  const taken = await transaction.execute(
    `insert into ${IDEMPOTENCY_KEYS_TABLE} as kept (scope, key, body_hash, expires_at) values ($1, $2, $3, now() + $4::int * interval '1 second')
     on conflict (scope, key) do update set body_hash = excluded.body_hash, expires_at = excluded.expires_at, answer = null where kept.expires_at <= now()
     returning key`,
    [request.scope, request.key, hash, ttlSeconds],
    call,
  )
  if (taken.length > 0) return undefined
  const [kept] = await transaction.execute<{ body_hash: string; answer: JsonValue }>(
    `select body_hash, answer from ${IDEMPOTENCY_KEYS_TABLE} where scope = $1 and key = $2`,
    [request.scope, request.key],
    call,
  )
  if (kept?.body_hash === hash) return kept.answer
  throw new TimescaleOperationError('this Idempotency-Key was used with another body before: use a new key for a new request', {
    code: 'ERR_TIMESCALEDB_IDEMPOTENCY_KEY',
    status: 409,
  })
}

/** Keeps the answer under the key that {@link takeKey} took. */
export async function keepAnswer(
  transaction: Pick<TimescaleTransaction, 'execute'>,
  request: IdempotentRequest,
  answer: JsonValue,
  call: CallOptions,
): Promise<void> {
  await transaction.execute(
    `update ${IDEMPOTENCY_KEYS_TABLE} set answer = $3::text::jsonb where scope = $1 and key = $2`,
    [request.scope, request.key, JSON.stringify(answer)],
    call,
  )
}

/** Forgets some of the keys whose time is over, never waiting for another process that does the same. */
export async function forgetExpired(storage: Pick<TimescaleStorage, 'execute'>, call: CallOptions): Promise<void> {
  await storage.execute(
    `delete from ${IDEMPOTENCY_KEYS_TABLE} where (scope, key) in
       (select scope, key from ${IDEMPOTENCY_KEYS_TABLE} where expires_at <= now() order by expires_at limit 1000 for update skip locked)`,
    [],
    call,
  )
}
