import { kindOf, messagingValidationError } from './errors.ts'

/** Deeper than any message that means something; a parser on the other side may have less. */
const MAX_DEPTH = 500

/**
 * The JSON text of a message. 64-bit integers become strings and dates ISO texts, as everywhere on the wire; what JSON would
 * silently change or drop (NaN, functions, Map, bytes in an object) is refused by its path instead.
 *
 * @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE`
 */
export const jsonOf = (message: unknown): string => JSON.stringify(jsonValue(message, []))

type Path = (string | number)[]

function jsonValue(value: unknown, path: Path): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'bigint':
      return value.toString()
    case 'number':
      if (Number.isFinite(value)) return value
      throw refused(path, `is ${value}, which JSON does not have`)
    case 'object':
      return value === null ? null : jsonObject(value, path)
    default:
      throw refused(path, `is ${kindOf(value)}, which JSON does not have`)
  }
}

function jsonObject(value: object, path: Path): unknown {
  if (path.length > MAX_DEPTH) throw refused(path.slice(0, 10), `is nested deeper than ${MAX_DEPTH} levels, or holds itself`)
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw refused(path, 'is an invalid date')
    return value.toISOString()
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return jsonValue(value.toJSON(), [...path, 'toJSON()'])
  if (Array.isArray(value)) return value.map((item, index) => jsonValue(item, [...path, index]))
  if (ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set) {
    throw refused(path, `is a ${value.constructor.name}: write it as an object, a list or a text`)
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([name, item]) => [name, jsonValue(item, [...path, name])]))
}

function refused(path: Path, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `this message can't be sent: ${path.join('.') || 'it'} ${message}`, [
    { path: ['message', ...path], message },
  ])
}
