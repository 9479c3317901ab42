import {
  type AuditSink,
  type Clock,
  type ProblemDetails,
  silentAudit,
  systemClock,
  toProblem,
  type TokenClaims,
  type TokenVerifier,
} from '@smart-whale/interfaces'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction, preHandlerAsyncHookHandler } from 'fastify'
import { cacheVerifiedTokens } from '../cache-verified-tokens.ts'
import { wrongOption } from '../check-option.ts'
import { AccessDeniedError, TokenError } from '../errors.ts'
import { isPermission } from '../match-permission.ts'
import type { RolePolicy } from '../role-policy.ts'
import { createAuditTrail } from './audit-trail.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, as its verified token says. Set by the bearer guard before the handler runs; absent on routes without a guard. */
    principal?: TokenClaims | undefined
  }
}

/** What {@link createBearerGuard} is made from. */
export interface BearerGuardOptions {
  /** Checks the tokens. @default none, required */
  verifier: TokenVerifier
  /** Decides what the token's roles may do. @default none, required */
  policy: RolePolicy
  /** Where refused requests are recorded. An answer never waits for it. @default silentAudit */
  audit?: AuditSink
  /** How many verified tokens are remembered until they expire; 0 verifies every request anew. @default 1000 */
  maxCachedTokens?: number
  /** Names the protected space in `WWW-Authenticate`. @default 'smart-whale' */
  realm?: string
  /** Source of the time. @default systemClock */
  clock?: Clock
}

/** Makes the hook of one route: only callers with the permission get past it. */
export type Guard = (permission: string) => preHandlerAsyncHookHandler

/** `Bearer` and one token of the characters that RFC 6750 allows. */
const BEARER = /^bearer +([\w\-.~+/]+=*)$/i

/**
 * Makes a guard for routes: `guard('timeseries:read')` is a `preHandler` that lets only callers with that permission through.
 * The bearer token must be valid and one of its roles must have the permission; `request.principal` then says who it is. Otherwise the
 * guard answers itself, as problem+json: 401 with `WWW-Authenticate`, or 403 naming the permission. The token is taken from the
 * `Authorization` header and from nowhere else, since addresses end up in logs and histories.
 *
 * @throws ValidationError `ERR_SECURITY_OPTIONS` for a malformed permission or option, when the guard is made
 */
export function createBearerGuard(options: BearerGuardOptions): Guard {
  const { policy, audit = silentAudit, maxCachedTokens = 1000, realm = 'smart-whale', clock = systemClock } = options
  if (!/^[\w .-]+$/.test(realm)) throw wrongOption('realm', realm, 'must be letters, digits, spaces, ".", "-" and "_"')
  const cached = maxCachedTokens === 0 ? undefined : cacheVerifiedTokens(options.verifier, { maxEntries: maxCachedTokens, clock })
  const verifier = cached ?? options.verifier
  const recordDenial = createAuditTrail(audit)

  return (permission) => {
    if (!isPermission(permission)) throw wrongOption('permission', permission, 'must be words joined by ":", such as "timeseries:read"')
    const verify = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      try {
        request.principal = await verifier.verify(bearerToken(request))
        if (!policy.isAllowed(request.principal.roles, permission)) throw new AccessDeniedError(permission)
      } catch (error) {
        const problem = toProblem(error)
        if (problem.status >= 500) request.log.error({ err: error }, 'a token could not be verified')
        else recordDenial(request, permission, problem.code)
        refuse(reply, problem, challengeOf(error, realm))
        return reply
      }
      return undefined
    }
    const admit = (request: FastifyRequest, reply: FastifyReply, done?: HookHandlerDoneFunction): Promise<unknown> | undefined => {
      const token = usualToken(request)
      const claims = token === undefined ? undefined : cached?.known(token)
      if (claims === undefined || !policy.isAllowed(claims.roles, permission)) return verify(request, reply)
      request.principal = claims
      return done === undefined ? Promise.resolve() : void done()
    }
    // Fastify hands `done` over and goes on at once; a hook that calls this one without it gets its promise.
    return admit as preHandlerAsyncHookHandler
  }
}

/** The token of a header in its usual form, unchecked: what was verified before needs no look at its form. */
function usualToken({ headers: { authorization } }: FastifyRequest): string | undefined {
  return authorization?.startsWith('Bearer ') === true ? authorization.slice('Bearer '.length) : undefined
}

function bearerToken(request: FastifyRequest): string {
  const header = request.headers.authorization
  if (header === undefined) throw new TokenError('ERR_TOKEN_MISSING', 'a token is needed: send the header "Authorization: Bearer <token>"')
  const token = BEARER.exec(header)?.[1]
  if (token === undefined) throw new TokenError('ERR_TOKEN_INVALID', 'the Authorization header must read "Bearer <token>"')
  return token
}

/** RFC 6750 §3: without credentials only the challenge, with refused ones the reason. */
function challengeOf(error: unknown, realm: string): string | null {
  if (AccessDeniedError.isInstance(error)) return `Bearer realm="${realm}", error="insufficient_scope", scope="${error.permission}"`
  if (toProblem(error).status !== 401) return null
  const isMissing = TokenError.isInstance(error) && error.code === 'ERR_TOKEN_MISSING'
  return `Bearer realm="${realm}"${isMissing ? '' : ', error="invalid_token"'}`
}

function refuse(reply: FastifyReply, problem: ProblemDetails, challenge: string | null): void {
  if (challenge !== null) reply.header('www-authenticate', challenge)
  // Sent as text: a route's response schema must not drop members of the problem.
  reply.code(problem.status).header('cache-control', 'no-store').type('application/problem+json').send(JSON.stringify(problem))
}
