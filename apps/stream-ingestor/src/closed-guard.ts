import type { preHandlerAsyncHookHandler } from 'fastify'
import { OperationError } from '@smart-whale/interfaces'

/** The guard of an ingestor that was given no keys to check tokens with: what needs a permission is not served. */
export function closedGuard(permission: string): preHandlerAsyncHookHandler {
  return async () => {
    throw new OperationError(`this needs ${permission}, and no keys are configured to check tokens with: set AUTH_JWKS_FILE and AUTH_ISSUER`, { code: 'ERR_INGESTOR_NO_KEYS', status: 403 })
  }
}
