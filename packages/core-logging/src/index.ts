// Logger
export { createLogger, type ServiceLogger } from './create-logger.ts'

// Options
export type { LogDestination, LoggerOptions, LogLevel, RedactionOptions } from './options.ts'

// Errors
export type { LoggingErrorCode } from './errors.ts'
