import { keyError, ttlError, valueError } from './errors.ts'

/** @throws ValidationError `ERR_CACHE_KEY` */
export function requireKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') throw keyError(key)
}

/** @throws ValidationError `ERR_CACHE_VALUE` */
export function requireValue(value: unknown): void {
  if (value === undefined) throw valueError([], 'undefined')
}

/** @throws ValidationError `ERR_CACHE_TTL` */
export function requireTtl(ttlSeconds: unknown): void {
  if (ttlSeconds !== undefined && !(typeof ttlSeconds === 'number' && ttlSeconds > 0)) throw ttlError(ttlSeconds)
}
