import type { Clock } from '@smart-whale/interfaces'

/** From the most to the least talkative; `silent` says nothing. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** Where lines go; the smallest part of a writable stream. */
export interface LogDestination {
  /** Takes one line, its line break included. */
  write(line: string): unknown
  /** Calls back when everything that was written has left the process. */
  flush?(callback: (error?: Error | null) => void): void
}

/** What must not be seen in the log. */
export interface RedactionOptions {
  /** Names of further fields whose values are hidden, in any nesting; case, `-` and `_` don't matter. @default [] */
  redactKeys?: readonly string[]
  /** Names of fields that are shown although they look as if they held a secret. @default ['deduplicationToken', 'insertDeduplicationToken', 'idempotencyToken'] */
  keepKeys?: readonly string[]
  /** Further patterns, hidden wherever they match inside a text. Keep them linear: they run on whatever is logged. @default [] */
  redactPatterns?: readonly RegExp[]
  /** Longer texts are cut to so many characters, so that one value can't flood the log. @default 16384 */
  maxTextLength?: number
}

/** What {@link createLogger} is made from. */
export interface LoggerOptions extends RedactionOptions {
  /** Least level that is written; below it a call costs nothing. @default 'info' */
  level?: LogLevel
  /** Name of the service, on every line. @default none */
  service?: string
  /** A file's path (made when it is not there, lines are appended) or anything with `write`. @default standard output */
  destination?: string | LogDestination
  /** Text for a person at a terminal instead of JSON for a machine. @default false */
  pretty?: boolean
  /** Colours in the text form. @default whether it goes to a terminal */
  color?: boolean
  /** Told about lines that could not be written. Logging itself never throws for it. @default one line on standard error, at the first failure */
  onWriteError?: (error: Error) => void
  /** Source of the time. @default systemClock */
  clock?: Clock
}
