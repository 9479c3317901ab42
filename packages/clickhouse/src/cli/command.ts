import type { ParseArgsOptionsConfig } from 'node:util'
import type { ClickHouseAdapter } from '../adapter-options.ts'

/** How a command ended, to whoever ran it. */
export const EXIT = {
  /** Done, and nothing is wrong. */
  ok: 0,
  /** It could not be done: the server is away, or something broke. Trying again may help. */
  failed: 1,
  /** What was given is wrong: command line, environment, a file, a login. Trying again doesn't help. */
  usage: 2,
  /** What is there is not as it should be: drift, findings, damage, migrations that are not applied. */
  found: 3,
} as const

/** What each exit code means where a command says nothing else. */
export const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'done, and nothing is wrong',
  [EXIT.failed]: 'the server is away, or refused or failed it; trying again may help',
  [EXIT.usage]: 'command line, environment, a file or the login is wrong; trying again does not help',
}

/** What a command works with. */
export interface CommandCall {
  /** Options by name. */
  readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
  /** Time of one statement in milliseconds, where it was given. */
  readonly timeoutMs: number | undefined
  /** Whether the answer is for a program. */
  readonly json: boolean
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal
  /** The server, connected on first use and closed behind the command. */
  readonly adapter: ClickHouseAdapter
  /** A line of the answer, on standard output. */
  print(line: string): void
  /** A line about what is going on, on standard error. */
  progress(line: string): void
}

/** One command of the command line. */
export interface Command {
  /** One word, or two: `migrate up`. */
  readonly name: string
  /** What it does, in half a line. */
  readonly summary: string
  /** What stands behind the name. */
  readonly usage: string
  /** Everything else that `--help` tells. */
  readonly help: string
  /** Exit codes that mean something of their own here. */
  readonly exits: Readonly<Record<number, string>>
  readonly options: ParseArgsOptionsConfig
  /** How many words it takes besides its name. */
  readonly positionals: { readonly least: number; readonly most: number }
  /** Answers one of {@link EXIT}. */
  run(call: CommandCall): Promise<number>
}

/** The text of an option; undefined when it wasn't given. */
export function textOf({ values }: CommandCall, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

/** The texts of an option that may be given several times; undefined when it wasn't. */
export function textsOf({ values }: CommandCall, name: string): string[] | undefined {
  const value = values[name]
  return Array.isArray(value) ? value.map(String) : undefined
}

/** JSON of anything: 64-bit integers and dates as texts. */
export function asJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? each.toString() : each instanceof Error ? { message: each.message, ...(each as { code?: string }) } : each))
}

/** Rows under each other, columns as wide as they need. */
export function tableText(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = [head, ...rows.map((row) => row.map((cell) => String(cell ?? '–')))]
  const widths = head.map((_title, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n')
}
