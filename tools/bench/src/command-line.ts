import { parseArgs } from 'node:util'
import { ValidationError } from '@smart-whale/interfaces'

/** What `npm run bench` was told. */
export interface BenchCommand {
  /** Only hot paths whose name holds one of these; empty for all. */
  readonly names: readonly string[]
  /** Whether only to show that everything runs. */
  readonly quick: boolean
  /** Whether docs/benchmarks.md is written. */
  readonly write: boolean
  readonly help: boolean
}

/** Reads the command line. @throws ValidationError naming what is wrong */
export function readCommand(args: readonly string[], known: readonly string[]): BenchCommand {
  const { values, positionals } = parsed(args)
  const unknown = positionals.find((name) => !known.some((candidate) => candidate.includes(name)))
  if (unknown !== undefined) throw refusal(`there is no hot path "${unknown}"; there are ${known.join(', ')}`)
  const { quick = false, write = false, help = false } = values
  if (write && quick) throw refusal('--write takes full measurements: leave out --quick')
  return { names: positionals, quick, write, help }
}

/** What `--help` prints. */
export function helpText(known: readonly string[]): string {
  return `npm run bench [-- NAME …] [--quick] [--write]

  NAME      only the hot paths whose name holds it: ${known.join(', ')}
  --quick   three short rounds: shows that everything runs, not how fast
  --write   puts the results into docs/benchmarks.md, in place of older ones`
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { quick: { type: 'boolean' }, write: { type: 'boolean' }, help: { type: 'boolean' } } })
  } catch (error) {
    throw refusal(`${(error as Error).message.split('. ')[0]}; --help lists the options`)
  }
}

function refusal(message: string): ValidationError {
  return new ValidationError(message, { issues: [{ path: [], message }] })
}
