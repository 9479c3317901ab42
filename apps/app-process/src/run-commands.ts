import { parseArgs } from 'node:util'
import { ConfigurationError, InfrastructureError, ValidationError } from '@smart-whale/interfaces'
import { type Command, type CommandCall, type CommandLine, EXIT } from './command-line.ts'
import { explainFailure } from './explain-failure.ts'

/** Where a command line writes. */
export interface Terminal {
  out(text: string): void
  error(text: string): void
}

const PROCESS_TERMINAL: Terminal = { out: (text) => void process.stdout.write(text), error: (text) => void process.stderr.write(text) }

/** Runs the command that the arguments name, and answers the exit code. Whatever goes wrong becomes one line on standard error. */
export async function runCommands(line: CommandLine, args: readonly string[], signal: AbortSignal, terminal: Terminal = PROCESS_TERMINAL): Promise<number> {
  let title = line.name
  let json = args.includes('--json')
  try {
    const { command, rest } = findCommand(line, args)
    if (command === null) return terminal.out(`${overview(line)}\n`), EXIT.ok
    title = `${line.name} ${command.name}`
    const { values, positionals } = parseCommand(command, title, rest)
    if (values.help === true) return terminal.out(`${commandHelp(line, command)}\n`), EXIT.ok
    json = values.json === true
    const call: CommandCall = { values, positionals, json, signal, print: (text) => terminal.out(`${text}\n`), progress: (text) => terminal.error(`${text}\n`) }
    return await command.run(call)
  } catch (error) {
    terminal.error(json ? `${JSON.stringify({ error: { code: InfrastructureError.isInstance(error) ? error.code : 'ERR_INTERNAL', message: explainFailure(error) } })}\n` : `${title}: ${explainFailure(error)}\n`)
    return ConfigurationError.isInstance(error) || ValidationError.isInstance(error) ? EXIT.usage : EXIT.failed
  }
}

/** The command by its one or two words; null asks for the overview. @throws ConfigurationError naming what there is no command for */
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
  if (family.length > 0) throw new ConfigurationError(`"${name}" needs one more word: ${family.join(', ')}`)
  throw new ConfigurationError(`there is no command "${name}"; there are ${line.commands.map((command) => command.name).join(', ')}`)
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
  return `${command.summary}.\n\n  ${line.name} ${command.name} ${command.usage}\n\n${command.help}`
}
