import { toWire } from '@smart-whale/interfaces'
import type { FastifyPluginAsync, FastifyReply, preHandlerAsyncHookHandler } from 'fastify'
import type { Health } from '../health.ts'
import { answerProblems, type Guard, problemSchema } from './guard.ts'

/** What {@link healthRoutes} is registered with. */
export interface HealthRoutesOptions {
  /** What the routes tell. @default none, required */
  health: Health
  /** Asks for `health:read` before dependencies are told on `/health`; without a bearer token it then tells the overall status alone. @default open */
  guard?: Guard
}

const tags = ['monitoring']
const statusSchema = { type: 'string', enum: ['up', 'degraded', 'down'] } as const
const phaseSchema = { type: 'string', enum: ['starting', 'running', 'stopping'] } as const
const readinessSchema = {
  type: 'object',
  required: ['ready', 'phase', 'status'],
  properties: { ready: { type: 'boolean' }, phase: phaseSchema, status: statusSchema },
} as const
const livenessSchema = {
  type: 'object',
  required: ['status', 'uptimeSeconds'],
  properties: { status: statusSchema, uptimeSeconds: { type: 'integer' } },
} as const
const dependencySchema = {
  type: 'object',
  required: ['name', 'critical', 'status', 'durationMs', 'checkedAt'],
  properties: {
    name: { type: 'string' },
    critical: { type: 'boolean', description: 'Whether the service is not ready while this is down' },
    status: statusSchema,
    detail: { type: 'string' },
    data: { type: 'object', additionalProperties: true },
    durationMs: { type: 'integer' },
    checkedAt: { type: 'string', format: 'date-time' },
  },
} as const
const reportSchema = {
  type: 'object',
  required: ['status'],
  properties: { ...readinessSchema.properties, uptimeSeconds: { type: 'integer' }, dependencies: { type: 'array', items: dependencySchema } },
} as const

/**
 * `GET /health`, the summary; `GET /health/live` for the orchestrator and `GET /health/ready` for the balancer, both always open.
 * 503 means: not ready, or (on `/health`) down.
 */
export const healthRoutes: FastifyPluginAsync<HealthRoutesOptions> = async (app, { health, guard }) => {
  answerProblems(app)
  const toldAll = guard === undefined ? undefined : unlessAnonymous(guard('health:read'))

  app.get(
    '/health',
    {
      schema: {
        tags,
        summary: 'How the service and its dependencies are',
        description: 'Without a token only the overall status, when the service asks for tokens.',
        response: { 200: reportSchema, 401: problemSchema, 403: problemSchema, 503: reportSchema },
      },
      ...(toldAll === undefined ? {} : { preHandler: toldAll }),
    },
    async (request, reply) => {
      const report = await health.report()
      const isAnonymous = guard !== undefined && request.headers.authorization === undefined
      return answer(reply, report.status !== 'down', isAnonymous ? { status: report.status } : toWire(report))
    },
  )

  app.get(
    '/health/live',
    { schema: { tags, summary: 'Whether the process works', description: 'Restart it when this fails.', response: { 200: livenessSchema } } },
    async (_request, reply) => answer(reply, true, health.live()),
  )

  app.get(
    '/health/ready',
    {
      schema: {
        tags,
        summary: 'Whether the service may be sent requests',
        response: { 200: readinessSchema, 503: readinessSchema },
      },
    },
    async (_request, reply) => {
      const readiness = await health.ready()
      return answer(reply, readiness.ready, readiness)
    },
  )
}

/** Whoever shows a token must show a good one; whoever shows none is let through, to be told less. */
function unlessAnonymous(hook: preHandlerAsyncHookHandler): preHandlerAsyncHookHandler {
  return async function (request, reply) {
    if (request.headers.authorization === undefined) return undefined
    return hook.call(this, request, reply)
  }
}

function answer(reply: FastifyReply, isGood: boolean, body: unknown): FastifyReply {
  return reply
    .code(isGood ? 200 : 503)
    .header('cache-control', 'no-store')
    .send(body)
}
