import { ValidationError } from '@smart-whale/interfaces'

/** The refusal of one wrong argument: which one, what kind of value was found, what would be right. */
export function wrongOption(field: string, found: unknown, remedy: string): ValidationError<'ERR_SECURITY_OPTIONS'> {
  const kind = found === null ? 'null' : Array.isArray(found) ? 'an array' : typeof found
  const message = `${remedy}; found ${typeof found === 'number' ? found : kind}`
  return new ValidationError(`"${field}": ${message}`, { code: 'ERR_SECURITY_OPTIONS', issues: [{ path: field.split('.'), message }] })
}

/** Makes sure that an option is text that says something. */
export function requireText(field: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '') throw wrongOption(field, value, 'must be text that is not empty')
}

/** Makes sure that an option is a whole number within bounds. */
export function requireWhole(field: string, value: unknown, least: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least) throw wrongOption(field, value, `must be a whole number, at least ${least}`)
}
