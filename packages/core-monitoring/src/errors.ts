import { ValidationError } from '@smart-whale/interfaces'

/** Every code that this package makes. */
export type MonitoringErrorCode = 'ERR_MONITORING_OPTIONS' | 'ERR_MONITORING_METRIC' | 'ERR_MONITORING_METRIC_CONFLICT'

/** The refusal of one wrong argument, by the name of its field. */
export function wrongInput(field: string, message: string, code: MonitoringErrorCode = 'ERR_MONITORING_OPTIONS'): ValidationError<MonitoringErrorCode> {
  return new ValidationError(`"${field}": ${message}`, { code, issues: [{ path: field.split('.'), message }] })
}

/** Makes sure that an option is a number within bounds. */
export function requireAtLeast(field: string, value: number, least: number): void {
  if (!Number.isFinite(value) || value < least) throw wrongInput(field, `must be a number, at least ${least}; found ${String(value)}`)
}
