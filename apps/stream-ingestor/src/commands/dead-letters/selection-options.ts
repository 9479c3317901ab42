import { type CommandCall, EXIT } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import type { DeadLetterSelection, LetterFate } from '@smart-whale/messaging/dead-letters'
import { count } from '../words.ts'

/** The options by which letters are chosen. */
export const SELECTION_OPTIONS = {
  code: { type: 'string', multiple: true },
  reason: { type: 'string' },
  'schema-version': { type: 'string', multiple: true },
  at: { type: 'string', multiple: true },
  since: { type: 'string' },
  until: { type: 'string' },
} as const

/** What `--help` tells of them. */
export const SELECTION_HELP = `Which letters (all that meet every option given):
  --code CODE              of this reason; may be given again
  --reason TEXT            whose reason holds this text
  --schema-version V       of this version; "none" for those that name none; may be given again
  --at PARTITION-OFFSET    at this place of the dead letters; may be given again
  --since, --until TIME    that died in this span; ISO 8601`

/** Reads them. @throws ConfigurationError naming the one that is wrong */
export function selectionOf(values: CommandCall['values']): DeadLetterSelection {
  return {
    codes: listOf(values.code),
    reasonContains: values.reason as string | undefined,
    schemaVersions: listOf(values['schema-version'])?.map((version) => (version === 'none' ? null : version)),
    positions: listOf(values.at)?.map(placeFrom),
    since: timeFrom('since', values.since as string | undefined),
    until: timeFrom('until', values.until as string | undefined),
  }
}

/** Whether any letter was chosen by an option. */
export function isNarrowed(values: CommandCall['values']): boolean {
  return Object.keys(SELECTION_OPTIONS).some((option) => values[option] !== undefined)
}

const listOf = (value: CommandCall['values'][string]): string[] | undefined => value as string[] | undefined

function placeFrom(text: string): { partition: number; offset: bigint } {
  const [, partition, offset] = /^(\d{1,9})-(\d{1,18})$/.exec(text) ?? []
  if (partition === undefined || offset === undefined) throw new ConfigurationError(`--at ${text} is no place; it is partition and offset, like 0-17`)
  return { partition: Number(partition), offset: BigInt(offset) }
}

function timeFrom(option: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new ConfigurationError(`--${option} ${text} is no time; write it as 2026-01-31T12:00:00Z`)
  return time
}

/** How a command ends that looked for letters: nothing chosen is said, and is no success where something was asked for. */
export function endOfSelection(call: CommandCall, { topic, chosen, all }: { readonly topic: string; readonly chosen: number; readonly all: number }): number {
  if (chosen > 0) return EXIT.ok
  if (all === 0) {
    call.progress(`${topic} has no dead letters`)
    return isNarrowed(call.values) ? EXIT.none : EXIT.ok
  }
  call.progress(`0 of ${count(all, 'letter')} match; "dead-letters list ${topic}" tells what there is`)
  return EXIT.none
}

/** What became of a letter, in words. */
export function fateText(fate: LetterFate | null): string {
  if (fate === null) return 'open'
  const patched = fate.patch === null ? '' : ` with patch ${fate.patch}`
  return `${fate.state === 'replayed' ? 'sent again' : 'dropped'} at ${fate.at} by ${fate.by}${patched}`
}
