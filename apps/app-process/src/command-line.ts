import type { ParseArgsOptionsConfig } from 'node:util'
import type { Environment } from './read-environment.ts'

/** How a command ended, to whoever ran it. */
export const EXIT = {
  /** Done, and nothing is wrong. */
  ok: 0,
  /** It could not be done: something is away, or broke. Trying again may help. */
  failed: 1,
  /** What was given is wrong: command line, environment, a file, a login, a database that isn't there. Trying again doesn't help. */
  usage: 2,
  /** What is there is not as it should be: gaps, doubles, drift. */
  found: 3,
  /** Nothing is what was asked for. */
  none: 4,
} as const

/** What each exit code means where a command says nothing else; code to meaning. */
export const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'done, and nothing is wrong',
  [EXIT.failed]: 'a broker or store is away or broke; trying again may help',
  [EXIT.usage]: 'command line, environment, a file, a login or a name is wrong; trying again does not help',
  [EXIT.found]: 'something is not as it should be',
  [EXIT.none]: 'nothing is what was asked for',
}

/** What stands out on a terminal. */
export type Colour = 'red' | 'green' | 'yellow' | 'dim'

/** What a command works with. */
export interface CommandCall {
  /** Options by name; an option that wasn't given is undefined unless it has a default. */
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
  /** What the process was told by its environment. */
  readonly environment: Environment
  /** Whether the answer is for a program. */
  readonly json: boolean
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal
  /** A line of the answer. */
  print(line: string): void
  /** A line about what is going on, for whoever watches. */
  progress(line: string): void
  /** A part of a line in colour, where a person looks at a terminal that has them; as it is everywhere else. */
  paint(colour: Colour, text: string): string
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
  /** Calls as they are typed behind the program's name, and what each is for. */
  readonly examples: readonly (readonly [call: string, does: string])[]
  /** The exit codes that it may end with besides 1 and 2, and what they mean here. */
  readonly exits: Readonly<Record<number, string>>
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
  /** Exit codes for codes of errors that mean something of their own here. @default none */
  readonly exitCodes?: ReadonlyMap<string, number>
}
