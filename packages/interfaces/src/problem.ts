import { InfrastructureError, ValidationError, type ValidationIssue } from './errors.ts'

/** An error as an HTTP answer (RFC 9457, `application/problem+json`). */
export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  /** For wrong input: each field and what is wrong with it. */
  readonly issues?: readonly ValidationIssue[]
}

/** What `toProblem` answers, as a response of an OpenAPI document. */
export const problemResponse = (description: string) => ({
  description,
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status', 'detail', 'code'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          detail: { type: 'string' },
          code: { type: 'string', description: 'Stable identifier of the failure.' },
          issues: {
            type: 'array',
            description: 'Each wrong field and what is wrong with it.',
            items: { type: 'object', properties: { path: { type: 'array', items: {} }, message: { type: 'string' } } },
          },
        },
      },
    },
  },
})

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  408: 'Too slow',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Not processable',
  429: 'Too many requests',
  499: 'Aborted by the caller',
  503: 'Unavailable',
  504: 'Deadline passed',
}

/**
 * The answer that a failure may give to a caller: what is wrong with the request is told in full,
 * what is wrong inside (any 5xx) only by its code.
 */
export function toProblem(error: unknown): ProblemDetails {
  if (!InfrastructureError.isInstance(error)) return isRefusedRequest(error) ? refusedRequest(error) : hidden(500, 'ERR_INTERNAL')
  if (error.status >= 500) return hidden(error.status, error.code)
  return {
    type: 'about:blank',
    title: TITLES[error.status] ?? 'Request refused',
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(ValidationError.isInstance(error) ? { issues: error.issues } : {}),
  }
}

/** What an HTTP framework throws for a request that it refuses itself: a wrong body, an unknown content type, too many bytes. */
interface RefusedRequest {
  readonly statusCode: number
  readonly message: string
  /** JSON Schema findings, as ajv and Fastify report them. */
  readonly validation?: readonly { instancePath?: string; message?: string; params?: { missingProperty?: string; additionalProperty?: string } }[]
  /** Which part of the request was checked: body, querystring, params, headers. */
  readonly validationContext?: string
}

function isRefusedRequest(error: unknown): error is RefusedRequest {
  const { statusCode, message } = (error ?? {}) as Partial<RefusedRequest>
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 && typeof message === 'string'
}

function refusedRequest(error: RefusedRequest): ProblemDetails {
  const issues = error.validation?.map((finding) => {
    const field = finding.params?.missingProperty ?? finding.params?.additionalProperty
    const path = [...(finding.instancePath ?? '').split('/').slice(1), ...(field === undefined ? [] : [field])]
    return { path: [error.validationContext ?? 'body', ...path], message: finding.message ?? 'is wrong' }
  })
  return {
    type: 'about:blank',
    title: TITLES[error.statusCode] ?? 'Request refused',
    status: error.statusCode,
    detail: error.message,
    code: issues ? 'ERR_VALIDATION' : 'ERR_REQUEST_REFUSED',
    ...(issues ? { issues } : {}),
  }
}

function hidden(status: number, code: string): ProblemDetails {
  const detail = status === 503 ? 'A service that this answer needs is away; try again later.' : status === 504 ? 'The answer took longer than allowed.' : 'Something went wrong inside; the log has it under this code.'
  return { type: 'about:blank', title: TITLES[status] ?? 'Internal error', status, detail, code }
}
