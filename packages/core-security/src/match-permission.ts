/** A permission or a pattern of permissions: words joined by `:`, the last one being the action, `*` standing for one or more words. */
const PATTERN = /^(?:\*|[a-z0-9][a-z0-9_-]*)(?::(?:\*|[a-z0-9][a-z0-9_-]*))*$/i

/** Whether the text can stand in a role's `allow` or `deny`. */
export function isPermissionPattern(text: unknown): text is string {
  return typeof text === 'string' && PATTERN.test(text)
}

/** Whether the text names one permission, without any wildcard. */
export function isPermission(text: unknown): text is string {
  return isPermissionPattern(text) && !text.includes('*')
}

/** Answers whether a permission fits a pattern: `*` fits all, `timeseries:*` every action on it, `*:read` reading of whatever. */
export function compilePattern(pattern: string): (permission: string) => boolean {
  if (!pattern.includes('*')) return (permission) => permission === pattern
  const expression = new RegExp(`^${pattern.split(':').map((word) => (word === '*' ? '.+' : word)).join(':')}$`)
  return (permission) => expression.test(permission)
}
