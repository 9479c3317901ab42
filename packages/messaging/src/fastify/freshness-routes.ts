import type { FastifyPluginAsync, FastifyReply, FastifyRequest, onRequestAsyncHookHandler, preHandlerAsyncHookHandler } from 'fastify'
import { toProblem, toWire } from '@smart-whale/interfaces'
import { type Freshness, NotFreshError } from '../pipeline/freshness/freshness.ts'
import { refuseUnknownNames } from './refuse-unknown-names.ts'

/** What {@link freshnessRoutes} and {@link waitForToken} work with. */
export interface FreshnessRoutesOptions {
  /** Tells when the records of a token can be queried. @default none, required */
  freshness: Freshness
  /** Decides who may ask. @default everybody */
  guard?: (permission: string) => preHandlerAsyncHookHandler
  /** Longest that a request may wait, in milliseconds. @default 30000 */
  maxWaitMs?: number
}

const MAX_WAIT_MS = 30_000

const schema = {
  tags: ['ingest'],
  summary: 'Whether what a token stands for can be queried',
  description: 'With `waitMs` the answer waits for it, so long at most.',
  querystring: { type: 'object', properties: { token: { type: 'string', maxLength: 12_288 }, waitMs: { type: 'integer', minimum: 0 } }, required: ['token'], additionalProperties: false },
  response: {
    200: {
      type: 'object',
      properties: {
        stored: { type: 'boolean' },
        behind: { type: 'array', items: { type: 'object', properties: { partition: { type: 'integer' }, wanted: { type: 'string' }, nextOffset: { type: ['string', 'null'] } } } },
      },
      required: ['stored', 'behind'],
    },
  },
} as const

/** `GET /freshness?token=`: whether the events of an answer of `POST /ingest` are in every store. */
export const freshnessRoutes: FastifyPluginAsync<FreshnessRoutesOptions> = async (fastify, { freshness, guard, maxWaitMs = MAX_WAIT_MS }) => {
  fastify.setErrorHandler(answerFreshnessProblem)
  fastify.addHook('preValidation', refuseUnknownNames)
  // Before what is asked is looked at: who may not ask learns nothing of what would be wrong.
  const onRequest = guard?.('ingest:write') as onRequestAsyncHookHandler | undefined
  fastify.get<{ Querystring: { token: string; waitMs?: number } }>('/freshness', { schema, ...(onRequest === undefined ? {} : { onRequest }) }, async (request, reply) => {
    const { token, waitMs = 0 } = request.query
    const signal = abortWhenCallerLeaves(reply)
    if (waitMs === 0) return toWire(await freshness.check(token, { signal }))
    try {
      await freshness.waitUntilStored(token, { timeoutMs: Math.min(waitMs, maxWaitMs), signal })
      return { stored: true, behind: [] }
    } catch (error) {
      if (NotFreshError.isInstance(error)) return toWire(error.report)
      throw error
    }
  })
}

/**
 * A hook that makes a query wait for what its header `x-wait-for` names, at most as long as `x-wait-timeout-ms` says. It belongs behind
 * the guard, so that nobody waits who may not ask. Too late is 504, with how far the stores are.
 */
export function waitForToken({ freshness, maxWaitMs = MAX_WAIT_MS }: Pick<FreshnessRoutesOptions, 'freshness' | 'maxWaitMs'>): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    const token = request.headers['x-wait-for']
    if (token === undefined) return
    const asked = Number(request.headers['x-wait-timeout-ms'] ?? Number.NaN)
    const timeoutMs = Number.isFinite(asked) && asked >= 0 ? Math.min(asked, maxWaitMs) : undefined
    try {
      const { waitedMs } = await freshness.waitUntilStored(String(token), { timeoutMs, signal: abortWhenCallerLeaves(reply) })
      void reply.header('x-waited-ms', String(Math.round(waitedMs)))
    } catch (error) {
      await answerFreshnessProblem(error, request, reply)
    }
  }
}

/** Lets a caller through the guard and then has it wait, for the permissions that ask for data. */
export function guardThenWait(
  guard: (permission: string) => preHandlerAsyncHookHandler,
  wait: (request: FastifyRequest, reply: FastifyReply) => Promise<void>,
  permissions: readonly string[] = ['analytics:query', 'timeseries:read'],
): (permission: string) => preHandlerAsyncHookHandler {
  return (permission) => {
    const hook = guard(permission)
    if (!permissions.includes(permission)) return hook
    return async function (request, reply) {
      await hook.call(this, request, reply)
      if (!reply.sent) await wait(request, reply)
    }
  }
}

/** Whose kept answers a query may be given: one that waited for a token only those that were loaded after it. */
export function scopeOfToken(request: FastifyRequest): { readonly scope?: string } {
  const token = request.headers['x-wait-for']
  return token === undefined ? {} : { scope: `fresh ${String(token)}` }
}

function answerFreshnessProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.status >= 500 && !NotFreshError.isInstance(error)) request.log.error({ err: error }, 'a wait for fresh data failed')
  if (problem.status === 503 || problem.status === 504) void reply.header('retry-after', '1')
  const progress = NotFreshError.isInstance(error) ? { detail: error.message, behind: toWire(error.report.behind) } : {}
  return reply.code(problem.status).type('application/problem+json').send({ ...problem, ...progress })
}

function abortWhenCallerLeaves(reply: FastifyReply): AbortSignal {
  const left = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort()
  })
  return left.signal
}
