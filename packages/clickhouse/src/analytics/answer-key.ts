import type { QueryParams } from '../adapter-options.ts'
import { canonical, digest } from '../stable-digest.ts'
import { describeQuery } from './query-text.ts'

/** All that decides whether two questions have the same answer. */
export interface KeyedQuestion {
  readonly query: string
  readonly params?: QueryParams | undefined
  readonly role?: string | undefined
  readonly scope?: string | undefined
  readonly tenant?: string | undefined
  readonly tags?: readonly string[] | undefined
}

/** Hashes of a question: equal for equal questions, however they are spaced, commented and ordered. */
export interface AnalyticsKey {
  /** Of the normalised text. */
  readonly query: string
  readonly params: string
  /** Of the role, the scope and the tenant that the answer belongs to. */
  readonly reader: string
}

/** The key of a question. */
export function analyticsKey(question: KeyedQuestion): AnalyticsKey {
  return {
    query: describeQuery(question.query).hash,
    params: digest(canonical(question.params ?? {})),
    reader: digest(canonical([question.role ?? null, question.scope ?? '', question.tenant ?? null])),
  }
}
