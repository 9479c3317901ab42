import { parseArgs } from 'node:util'
import { constants } from 'node:os'
import { ConfigurationError, InfrastructureError } from '@smart-whale/interfaces'
import { type Colour, type Command, type CommandCall, type CommandLine, EXIT, EXIT_MEANINGS } from './command-line.ts'
import { exitCodeOf } from './exit-code-of.ts'
import { explainFailure } from './explain-failure.ts'
import { nearest } from './misspelt-variables.ts'
import type { Environment } from './read-environment.ts'

/** Where a command line writes. */
export interface Terminal {
  out(text: string): void
  error(text: string): void
  /** Whether a person looks at `out`, on something that has colours. @default false */
  readonly hasColours?: boolean
}

/** The process's own output. */
function processTerminal(): Terminal {
  process.stdout.on('error', endWithReader)
  return {
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    // Node looks at NO_COLOR, FORCE_COLOR and TERM.
    hasColours: process.stdout.isTTY && process.stdout.hasColors(),
  }
}

/** Whoever reads has enough, as `head` has: the rest is nobody's, and that is no failure to report. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit(128 + constants.signals.SIGPIPE)
}

const COLOURS: Readonly<Record<Colour, readonly [on: number, off: number]>> = { red: [31, 39], green: [32, 39], yellow: [33, 39], dim: [2, 22] }

/** What a command line is run with. */
export interface CommandRun {
  readonly args: readonly string[]
  readonly environment: Environment
  /** Aborts when the process is asked to stop; its reason is the signal's name. */
  readonly signal: AbortSignal
  /** Where it writes. @default the process's own */
  readonly terminal?: Terminal
}

/** Runs the command that the arguments name, and answers the exit code. Whatever goes wrong becomes one line on standard error. */
export async function runCommands(line: CommandLine, { args, environment, signal, terminal = processTerminal() }: CommandRun): Promise<number> {
  let title = line.name
  let json = args.includes('--json')
  try {
    const { command, rest } = findCommand(line, args)
    if (command === null) return terminal.out(`${overview({ ...line, commands: familyOf(line, rest[0]) })}\n`), EXIT.ok
    title = `${line.name} ${command.name}`
    const { values, positionals } = parseCommand(command, title, rest)
    if (values.help === true) return terminal.out(`${commandHelp(line, command)}\n`), EXIT.ok
    json = values.json === true
    const paint = (colour: Colour, text: string): string => (terminal.hasColours === true && !json ? `\u001b[${COLOURS[colour][0]}m${text}\u001b[${COLOURS[colour][1]}m` : text)
    const call: CommandCall = { values, positionals, environment, json, signal, print: (text) => terminal.out(`${text}\n`), progress: (text) => terminal.error(`${text}\n`), paint }
    return await command.run(call)
  } catch (error) {
    const failure = signal.aborted ? interrupted(signal) : { code: InfrastructureError.isInstance(error) ? error.code : 'ERR_INTERNAL', message: explainFailure(error), exit: exitCodeOf(error, line.exitCodes) }
    terminal.error(json ? `${JSON.stringify({ error: { code: failure.code, message: failure.message } })}\n` : `${title}: ${failure.message}\n`)
    return failure.exit
  }
}

/** What a signal ended: the exit code is that of every program that it ends. */
function interrupted({ reason }: AbortSignal): { code: string; message: string; exit: number } {
  const name = String(reason)
  return { code: 'ERR_INTERRUPTED', message: `ended by ${name}`, exit: 128 + (constants.signals[name as NodeJS.Signals] ?? constants.signals.SIGINT) }
}

/** The command by its one or two words; null asks for the overview, of all commands or of those that begin with the word that is left. @throws ConfigurationError naming what there is no command for */
function findCommand(line: CommandLine, args: readonly string[]): { command: Command | null; rest: readonly string[] } {
  const [first, second] = args
  if (first === 'help' || (first === '--help' && args.length === 1)) return { command: null, rest: [] }
  const name = first === undefined || first.startsWith('-') ? line.defaultCommand : first
  const named = args.slice(first === name ? 1 : 0)
  const long = second === undefined ? undefined : line.commands.find((command) => command.name === `${name} ${second}`)
  if (long !== undefined) return { command: long, rest: named.slice(1) }
  const short = line.commands.find((command) => command.name === name)
  if (short !== undefined) return { command: short, rest: named }
  const family = line.commands.filter((command) => command.name.startsWith(`${name} `)).map((command) => command.name)
  if (family.length > 0 && (second === '--help' || second === '-h')) return { command: null, rest: [name] }
  if (family.length > 0) throw new ConfigurationError(`"${name}" needs one more word: ${family.join(', ')}`)
  const names = line.commands.map((command) => command.name)
  const meant = nearest(name, names.flatMap((one) => [one, one.split(' ')[0] ?? one]))
  throw new ConfigurationError(`there is no command "${name}"; ${meant === undefined ? `there are ${names.join(', ')}` : `did you mean "${meant}"?`}`)
}

/** Commands of two words that have the first in common; all of them without one. */
function familyOf({ commands }: CommandLine, first: string | undefined): readonly Command[] {
  return first === undefined ? commands : commands.filter((command) => command.name.startsWith(`${first} `))
}

function parseCommand(command: Command, title: string, args: readonly string[]): Pick<CommandCall, 'values' | 'positionals'> {
  const options = { ...command.options, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
  let parsed: Pick<CommandCall, 'values' | 'positionals'>
  try {
    parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals: command.maxPositionals > 0 }) as typeof parsed
  } catch (error) {
    throw new ConfigurationError(`${(error as Error).message.split('. ')[0]}; ${title} --help lists the options`, { cause: error })
  }
  if (parsed.positionals.length > command.maxPositionals) throw new ConfigurationError(`"${parsed.positionals[command.maxPositionals]}" is one word too many; ${title} --help tells what it takes`)
  return parsed
}

function overview(line: CommandLine): string {
  const width = Math.max(...line.commands.map((command) => command.name.length))
  const commands = line.commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`)
  return `${line.summary}\n\n  ${line.name} COMMAND [OPTIONS]\n\n${commands.join('\n')}\n\nEach command: --help explains it, --json answers for a program.\n\n${line.help}`
}

function commandHelp(line: CommandLine, command: Command): string {
  const examples = command.examples.map(([call, does]) => `  ${line.name} ${command.name}${call === '' ? '' : ` ${call}`}\n      ${does}`)
  const meanings = { ...pick(EXIT_MEANINGS, EXIT.failed, EXIT.usage), ...command.exits }
  const exits = Object.entries(meanings).map(([code, meaning]) => `  ${code}  ${meaning}`)
  return [`${command.summary}.`, `  ${line.name} ${command.name} ${command.usage}`, command.help, `Examples:\n${examples.join('\n')}`, `Exit codes:\n${exits.join('\n')}`].join('\n\n')
}

function pick(meanings: Readonly<Record<number, string>>, ...codes: readonly number[]): Record<number, string> {
  return Object.fromEntries(codes.map((code) => [code, meanings[code] ?? '']))
}
