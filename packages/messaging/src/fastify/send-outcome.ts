import { InfrastructureError, toProblem } from '@smart-whale/interfaces'
import { PartialSendError } from '../errors.ts'

/**
 * What is known of the events of a request that failed: `none` of them is stored, `partial` says which, `unknown` may be all, some or none.
 */
export interface FailedSend {
  readonly status: number
  readonly outcome: 'none' | 'partial' | 'unknown'
  readonly retryAfterSeconds: number | null
  readonly problem: Readonly<Record<string, unknown>>
}

/** Errors that come before anything is on its way. */
const NOTHING_SENT = new Set(['ERR_MESSAGING_NOT_CONNECTED', 'ERR_MESSAGING_TOPIC_FULL', 'ERR_MESSAGING_TOPIC_NOT_FOUND', 'ERR_MESSAGING_AUTHENTICATION', 'ERR_MESSAGING_AUTHORIZATION', 'ERR_MESSAGING_MISSING_PEER'])

/**
 * What a failed send means for who asked for it: what may be sent again, and what not without risking a double. Only where nothing is stored is
 * the client told when to come again: many do so by themselves, with the whole request.
 */
export function failedSend(error: unknown): FailedSend {
  const problem = toProblem(error)
  if (problem.status < 500) return { status: problem.status, outcome: 'none', retryAfterSeconds: null, problem: { ...problem, outcome: 'none' } }
  if (PartialSendError.isInstance(error)) return partial(error, problem)
  const isNothing = InfrastructureError.isInstance(error) && NOTHING_SENT.has(error.code)
  if (isNothing) return { status: 503, outcome: 'none', retryAfterSeconds: 1, problem: { ...problem, status: 503, title: 'Unavailable', outcome: 'none', detail: 'The broker does not take events now. None of this request is stored; send it again later.' } }
  const detail = 'No answer came from the broker: all, some or none of the events are stored. Sending them again may store them twice.'
  return { status: problem.status, outcome: 'unknown', retryAfterSeconds: null, problem: { ...problem, outcome: 'unknown', detail } }
}

function partial(error: PartialSendError, problem: ReturnType<typeof toProblem>): FailedSend {
  const unknown = new Set(error.unknown)
  const stored = error.stored.filter((position) => position !== null).length
  const missing = error.stored.flatMap((position, index) => (position === null && !unknown.has(index) ? [index] : []))
  const isNothing = stored === 0 && unknown.size === 0
  const counts = `${stored} of ${error.stored.length} events are stored, ${missing.length} are not, of ${unknown.size} nobody knows`
  const detail = `${counts}. Send those in "missing" again; those in "unknown" only where a double does no harm.`
  const outcome = isNothing ? 'none' : unknown.size === error.stored.length ? 'unknown' : 'partial'
  return {
    status: 503,
    outcome,
    retryAfterSeconds: isNothing ? 1 : null,
    problem: { ...problem, status: 503, title: 'Unavailable', outcome, detail, stored, missing, unknown: [...unknown] },
  }
}
