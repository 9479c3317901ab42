import { decodeValue } from './decode-value.ts'
import { encodeValue } from './encode-value.ts'

/** What a payload begins with: another form is a miss. */
const FORM = 'SWV1|'

/** A value with nothing about it: form, length, text. @throws ValidationError `ERR_CACHE_VALUE` */
export function sealValue(value: unknown): string {
  const body = encodeValue(value)
  return `${FORM}${body.length.toString(36)}|${body}`
}

/** `undefined` for what isn't one, or not a whole one. Never throws. */
export function openValue(payload: string): { readonly value: unknown } | undefined {
  const bodyAt = payload.indexOf('|', FORM.length) + 1
  if (!payload.startsWith(FORM) || bodyAt === 0) return undefined
  const body = payload.slice(bodyAt)
  return body.length === Number.parseInt(payload.slice(FORM.length, bodyAt - 1), 36) ? decodeValue(body) : undefined
}
