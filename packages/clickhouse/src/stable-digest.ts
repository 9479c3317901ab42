import { hash } from 'node:crypto'

/** A short hash of a text, safe in keys, globs and tokens. */
export function digest(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32)
}

/**
 * Text that is equal for equal values and differs for different ones, unlike JSON's: 1, 1n, '1' and a Date of the same
 * moment are four things, and the order of an object's keys says nothing.
 */
export function canonical(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'bigint':
      return `${value}n`
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'object':
      return canonicalObject(value)
    default:
      return String(value)
  }
}

function canonicalObject(value: object): string {
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (value instanceof Uint8Array) return `Bytes(${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')})`
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (value instanceof Set) return `Set[${[...value].map(canonical).join()}]`
  if (value instanceof Map) return `Map[${[...value].map(canonical).join()}]`
  const kind = value.constructor === Object ? '' : (value.constructor?.name ?? '')
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  const texts = members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
  return `${kind}{${texts.sort().join()}}`
}
