/** One level of {@link Logger}: fields first, then the sentence; or the sentence alone. */
export interface LogMethod {
  (fields: object, message?: string): void
  (message: string): void
}

/** Where log lines go. The smallest part of pino's shape, so that a pino logger fits as it is. */
export interface Logger {
  trace: LogMethod
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
  fatal: LogMethod
  child(bindings: Record<string, unknown>): Logger
}

const silent: LogMethod = () => {}

/** The default everywhere: says nothing. */
export const silentLogger: Logger = {
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent,
  child: () => silentLogger,
}
