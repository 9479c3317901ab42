import { type Clock, systemClock, ValidationError } from '@smart-whale/interfaces'
import { type Logger as PinoLogger, pino } from 'pino'
import type { LoggingErrorCode } from './errors.ts'
import { formatText } from './format-text.ts'
import { openDestination } from './open-destination.ts'
import type { LogDestination, LoggerOptions, LogLevel } from './options.ts'
import { createLineRedactor } from './redact-line.ts'
import { isErrorLike, serializeError } from './serialize-error.ts'

/** A pino logger, also of the shape of the `Logger` port and of Fastify's `loggerInstance`, from which no secret gets out. */
export interface ServiceLogger extends PinoLogger {
  /** Resolves when what was logged has left the process, or after five seconds. */
  flush(callback?: (error?: Error) => void): Promise<void>
}

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const FLUSH_DEADLINE_MS = 5000

/**
 * Makes a logger that writes JSON lines, or text with `pretty`, and hides secrets in all of it.
 * They are known by the names of fields and by what secrets look like, in messages, errors, causes and stacks, and in what children and
 * serializers add. Logging never throws.
 *
 * @throws ValidationError `ERR_LOGGING_OPTIONS`; ConfigurationError `ERR_LOGGING_DESTINATION`
 */
export function createLogger(options: LoggerOptions = {}): ServiceLogger {
  const { level = 'info', service, pretty = false, clock = systemClock } = options
  requireOptions(options)
  const onWriteError = once(options.onWriteError ?? reportOnStandardError, options.onWriteError !== undefined)
  const destination = openDestination(options.destination, onWriteError)
  const color = options.color ?? (options.destination === undefined && process.stdout.isTTY === true)
  const redact = createLineRedactor(options)
  const render = pretty ? (line: string) => formatText(redact(line), color) : redact

  const logger = pino(
    {
      level,
      base: { ...(service === undefined ? {} : { service }), pid: process.pid },
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: readyFields },
      serializers: { err: serializeError },
      hooks: {
        // A getter or a proxy among the fields may throw; the work that was only to be told about must go on.
        logMethod(args, method) {
          try {
            method.apply(this, args)
          } catch (error) {
            onWriteError(error as Error)
          }
        },
      },
      depthLimit: 10,
      edgeLimit: 200,
    },
    { write: (line) => writeSafely(destination, line, render, onWriteError) },
  )
  const flush: ServiceLogger['flush'] = async (callback) => {
    await flushWithin(destination, clock)
    callback?.()
  }
  // On the root, so that children, which inherit from it, have it too.
  return Object.assign(logger, { flush })
}

/** What JSON can't say by itself: errors under any name (pino sees to `err`), and 64-bit integers, which are strings as everywhere else. */
function readyFields(fields: Record<string, unknown>): Record<string, unknown> {
  let ready = fields
  for (const [key, value] of Object.entries(fields)) {
    const isError = key !== 'err' && isErrorLike(value)
    if (!isError && typeof value !== 'bigint') continue
    if (ready === fields) ready = { ...fields }
    ready[key] = isError ? serializeError(value) : String(value)
  }
  return ready
}

function writeSafely(destination: LogDestination, line: string, render: (line: string) => string, onError: (error: Error) => void): void {
  try {
    destination.write(render(line))
  } catch (error) {
    onError(error as Error)
  }
}

function flushWithin(destination: LogDestination, clock: Clock): Promise<void> {
  if (destination.flush === undefined) return Promise.resolve()
  return new Promise((resolve) => {
    const deadline = clock.setTimeout(resolve, FLUSH_DEADLINE_MS)
    destination.flush?.(() => {
      clock.clearTimeout(deadline)
      resolve()
    })
  })
}

function once(report: (error: Error) => void, everyTime: boolean): (error: Error) => void {
  let reported = false
  return (error) => {
    if (reported && !everyTime) return
    reported = true
    report(error)
  }
}

function reportOnStandardError(error: Error): void {
  process.stderr.write(`log lines are being lost: ${(error as NodeJS.ErrnoException).code ?? error.name}\n`)
}

function requireOptions({ level, destination, maxTextLength }: LoggerOptions): void {
  if (level !== undefined && !LEVELS.includes(level)) throw wrongOption('level', `must be one of ${LEVELS.join(', ')}`)
  if (maxTextLength !== undefined && !(Number.isSafeInteger(maxTextLength) && maxTextLength >= 100)) {
    throw wrongOption('maxTextLength', 'must be a whole number of characters, at least 100')
  }
  const isDestination = typeof destination === 'string' ? destination !== '' : typeof destination?.write === 'function'
  if (destination !== undefined && !isDestination) throw wrongOption('destination', 'must be the path of a file or have a method "write"')
}

function wrongOption(field: string, message: string): ValidationError<LoggingErrorCode> {
  return new ValidationError(`"${field}": ${message}`, { code: 'ERR_LOGGING_OPTIONS', issues: [{ path: [field], message }] })
}
