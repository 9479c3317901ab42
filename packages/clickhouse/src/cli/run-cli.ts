import { ConfigurationError, ConnectionError, InfrastructureError, ValidationError } from '@smart-whale/interfaces'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { createAdapter } from '../create-adapter.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ClickHouseOptions } from '../clickhouse-config.ts'
import { type Command, EXIT, EXIT_MEANINGS } from './command.ts'
import { COMMANDS } from './commands/all-commands.ts'

/** What the command line is run with. */
export interface CliRun {
  readonly args: readonly string[]
  /** Aborts when the process is asked to stop; its reason is the signal's name. */
  readonly signal: AbortSignal
  readonly out: (text: string) => void
  readonly error: (text: string) => void
  /** Makes the adapter. @default createAdapter */
  readonly connect?: ((options: ClickHouseOptions) => ClickHouseAdapter) | undefined
}

const NAME = 'smart-whale-clickhouse'

const COMMON = { url: { type: 'string' }, database: { type: 'string' }, 'timeout-ms': { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

const COMMON_HELP = `  --url URL          http(s)://user:password@host:port/database; better CLICKHOUSE_URL or CLICKHOUSE_HOST, _PORT, _SECURE,
                     _DATABASE, _USER, _PASSWORD: a command line can be seen by others
  --database NAME    this database
  --timeout-ms N     time of one statement
  --json             answers JSON on standard output, for a program; errors are JSON on standard error
  --help             explains the command`

/** Runs the command that the arguments name, and answers the exit code. Whatever goes wrong becomes one line on standard error. */
export async function runCli({ args, signal, out, error, connect = createAdapter }: CliRun): Promise<number> {
  let title = NAME
  const isJson = args.includes('--json')
  try {
    const { command, rest } = findCommand(args)
    if (command === null) return out(overview(rest[0])), EXIT.ok
    title = `${NAME} ${command.name}`
    const { values, positionals } = parse(command, title, rest)
    if (values.help === true) return out(helpOf(command)), EXIT.ok
    if (positionals.length < command.positionals.least || positionals.length > command.positionals.most) throw new ConfigurationError(`it is used like this: ${title} ${command.usage}`)
    const adapter = connect(connectionOf(values))
    try {
      const exit = await command.run({ values, positionals, timeoutMs: timeoutOf(values), json: isJson, signal, adapter, print: (line) => out(`${line}\n`), progress: (line) => error(`${line}\n`) })
      return signal.aborted ? exitOfSignal(signal) : exit
    } finally {
      await adapter.close()
    }
  } catch (failure) {
    const { code, message, exit } = explain(failure, signal)
    error(isJson ? `${JSON.stringify({ error: { code, message } })}\n` : `${title}: ${message}\n`)
    return exit
  }
}

function connectionOf(values: Readonly<Record<string, unknown>>): ClickHouseOptions {
  const { url, database } = values as Readonly<Record<string, string | undefined>>
  const timeout = timeoutOf(values)
  return { ...(url === undefined ? {} : { url }), ...(database === undefined ? {} : { database }), ...(timeout === undefined ? {} : { requestTimeoutMs: timeout }) }
}

function timeoutOf({ 'timeout-ms': timeout }: Readonly<Record<string, unknown>>): number | undefined {
  if (timeout !== undefined && !/^[1-9]\d{0,8}$/.test(String(timeout))) throw new ConfigurationError(`--timeout-ms is "${String(timeout)}", which is not a whole number from 1`)
  return timeout === undefined ? undefined : Number(timeout)
}

/** The command by its one or two words; null asks for the overview, of all or of one family. */
function findCommand(args: readonly string[]): { command: Command | null; rest: readonly string[] } {
  const [first, second, ...others] = args
  if (first === undefined || first === 'help' || first.startsWith('-')) return { command: null, rest: [] }
  const long = COMMANDS.find(({ name }) => name === `${first} ${second}`)
  if (long !== undefined) return { command: long, rest: others }
  const short = COMMANDS.find(({ name }) => name === first)
  if (short !== undefined) return { command: short, rest: args.slice(1) }
  const family = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name)
  if (family.length > 0 && (second === '--help' || second === '-h')) return { command: null, rest: [first] }
  if (family.length > 0) throw new ConfigurationError(`"${first}" needs one more word: ${family.join(', ')}`)
  throw new ConfigurationError(`there is no command "${first}"; there are ${COMMANDS.map(({ name }) => name).join(', ')}`)
}

function parse(command: Command, title: string, args: readonly string[]): { values: Record<string, string | boolean | (string | boolean)[] | undefined>; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options: { ...command.options, ...COMMON }, strict: true, allowPositionals: true })
  } catch (cause) {
    throw new ConfigurationError(`${(cause as Error).message.split('. ')[0]}; ${title} --help lists the options`, { cause })
  }
}

/** As of every program that a signal ends. */
function exitOfSignal({ reason }: AbortSignal): number {
  return 128 + (constants.signals[String(reason) as NodeJS.Signals] ?? constants.signals.SIGINT)
}

function explain(failure: unknown, signal: AbortSignal): { code: string; message: string; exit: number } {
  if (signal.aborted) {
    return { code: 'ERR_INTERRUPTED', message: `ended by ${String(signal.reason)}; what was done up to there stays, and a new run goes on`, exit: exitOfSignal(signal) }
  }
  if (!InfrastructureError.isInstance(failure)) return { code: 'ERR_INTERNAL', message: failure instanceof Error ? (failure.stack ?? failure.message) : String(failure), exit: EXIT.failed }
  return { code: failure.code, message: failure.message, exit: isUsage(failure) ? EXIT.usage : EXIT.failed }
}

/** Whether trying again with the same can't help. */
function isUsage(failure: unknown): boolean {
  const { code, retryable } = failure as { code: string; retryable: boolean }
  if (ConnectionError.isInstance(failure)) return !retryable
  return ConfigurationError.isInstance(failure) || ValidationError.isInstance(failure) || code === 'ERR_CLICKHOUSE_PERMISSION_DENIED' || code === 'ERR_CLICKHOUSE_QUERY_SYNTAX' || code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT'
}

function overview(family: string | undefined): string {
  const commands = family === undefined ? COMMANDS : COMMANDS.filter(({ name }) => name.startsWith(`${family} `))
  const width = Math.max(...commands.map(({ name }) => name.length))
  return `Migrations, backups, diagnosis and advice for ClickHouse.\n\n  ${NAME} COMMAND [OPTIONS]\n\n${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}\n\nEach command takes:\n${COMMON_HELP}\n`
}

function helpOf({ name, summary, usage, help, exits }: Command): string {
  const meanings = Object.entries({ ...EXIT_MEANINGS, ...exits }).map(([code, meaning]) => `  ${code}  ${meaning}`)
  return `${[`${summary}.`, `  ${NAME} ${name} ${usage}`, help, COMMON_HELP, `Exit codes:\n${meanings.join('\n')}\n  130  ended by SIGINT; 143 by SIGTERM`].filter((part) => part !== '').join('\n\n')}\n`
}
