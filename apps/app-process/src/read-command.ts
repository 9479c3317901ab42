import { parseArgs } from 'node:util'
import { ConfigurationError } from '@smart-whale/interfaces'

/** What the command line of an app asks for. */
export type AppCommand = 'run' | 'check-config' | 'help'

/** Reads the command line. @throws ConfigurationError naming the option that is wrong */
export function readCommand(args: readonly string[]): AppCommand {
  try {
    const { values } = parseArgs({ args: [...args], options: { help: { type: 'boolean' }, 'check-config': { type: 'boolean' } }, strict: true })
    return values.help ? 'help' : values['check-config'] ? 'check-config' : 'run'
  } catch (error) {
    throw new ConfigurationError(`${(error as Error).message.split('. ')[0]}; --help lists the options`, { cause: error })
  }
}
