import type { ParseArgsOptionsConfig } from 'node:util'

/** How a command ended, to whoever ran it. */
export const EXIT = {
  /** Done, and nothing is wrong. */
  ok: 0,
  /** It could not be done: something is away, or broke. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was tried. */
  usage: 2,
  /** It was done, and found what should not be: gaps, doubles, drift. */
  found: 3,
} as const

/** What a command works with. */
export interface CommandCall {
  /** Options by name; an option that wasn't given is undefined unless it has a default. */
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
  /** Whether the answer is for a program. */
  readonly json: boolean
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal
  /** A line of the answer. */
  print(line: string): void
  /** A line about what is going on, for whoever watches. */
  progress(line: string): void
}

/** One command of a command line. */
export interface Command {
  /** One word, or two: `dead-letters list`. */
  readonly name: string
  /** What it does, in half a line. */
  readonly summary: string
  /** What stands behind the name: `[--pipeline NAME]`. */
  readonly usage: string
  /** Everything else that `--help` tells. */
  readonly help: string
  readonly options: ParseArgsOptionsConfig
  /** How many words it takes besides its name. */
  readonly maxPositionals: number
  /** Answers one of {@link EXIT}. */
  run(call: CommandCall): Promise<number>
}

/** A program and its commands. */
export interface CommandLine {
  readonly name: string
  readonly summary: string
  readonly commands: readonly Command[]
  /** What `--help` tells behind the list of commands. */
  readonly help: string
  /** Runs when the command line begins with an option, or is empty. */
  readonly defaultCommand: string
}
