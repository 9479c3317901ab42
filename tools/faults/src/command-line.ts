import { parseArgs } from 'node:util'
import { ValidationError } from '@smart-whale/interfaces'

/** What `npm run test:faults` was told. */
export interface FaultsCommand {
  /** Scenarios to run, by name; empty for none (then the list is printed). */
  readonly names: readonly string[]
  readonly seed: number
  readonly isShort: boolean
  readonly help: boolean
}

/** Reads the command line. @throws ValidationError naming what is wrong */
export function readCommand(args: readonly string[], known: readonly string[]): FaultsCommand {
  const { values, positionals } = parsed(args)
  const unknown = positionals.find((name) => name !== 'all' && !known.includes(name))
  if (unknown !== undefined) throw refusal(`there is no run "${unknown}"; there are ${known.join(', ')}, and all`)
  const seed = Number(values.seed ?? 1)
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) throw refusal('--seed must be a whole number from 0 to 4294967295')
  return { names: positionals.includes('all') ? known : positionals, seed, isShort: values.short ?? false, help: values.help ?? false }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { seed: { type: 'string' }, short: { type: 'boolean' }, help: { type: 'boolean' } } })
  } catch (error) {
    throw refusal(`${(error as Error).message.split('. ')[0]}; --help lists the options`)
  }
}

function refusal(message: string): ValidationError {
  return new ValidationError(message, { issues: [{ path: [], message }] })
}
