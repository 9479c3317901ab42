import { decodeValue } from './decode-value.ts'
import { encodeValue } from './encode-value.ts'

/** What a payload of a cache without layers begins with: another form is a miss. */
const FORM = 'SWV1|'

/** One text: form, length, value. @throws ValidationError `ERR_CACHE_VALUE` */
export function sealServicePayload(value: unknown): string {
  const body = encodeValue(value)
  return `${FORM}${body.length.toString(36)}|${body}`
}

/** `undefined` for what isn't one, or not a whole one. Never throws. */
export function readServicePayload(payload: string): unknown {
  const bodyAt = payload.indexOf('|', FORM.length) + 1
  if (!payload.startsWith(FORM) || bodyAt === 0) return undefined
  const body = payload.slice(bodyAt)
  return body.length === Number.parseInt(payload.slice(FORM.length, bodyAt - 1), 36) ? decodeValue(body)?.value : undefined
}
