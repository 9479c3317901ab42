import { type Command, type CommandCall, EXIT } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { deadLetterFilter, type DeadLetterView, inspectDeadLetter } from '@smart-whale/messaging/dead-letters'
import { openedLetters, withLetters } from './open-letters.ts'
import { endOfSelection, fateText, SELECTION_HELP, SELECTION_OPTIONS, selectionOf } from './selection-options.ts'

const DEFAULT_LIMIT = 10

/** Single letters, with everything that is known of them. */
export const showDeadLetters: Command = {
  name: 'dead-letters show',
  summary: 'Shows single dead letters: origin, reason, content, what became of them, and whether they would die again',
  usage: 'TOPIC [--at PARTITION-OFFSET] [--open] [--limit N] [--json]',
  help: `${SELECTION_HELP}
  --open                   that were neither sent again nor dropped

  --limit N                show so many (${DEFAULT_LIMIT})
  --json                   a line for each letter: {"position", "origin", "reason", "schemaVersion", "at", "key", "headers", "value", "fate",
                           "refusedToday"}; "fate" is null while it is open, "refusedToday" while today's pipeline would take it`,
  examples: [
    ['rides --code invalid --open --limit 3', 'three that died of a wrong field and wait for somebody'],
    ['rides --at 0-17', 'the one at partition 0, offset 17 of rides.dlq'],
  ],
  exits: { 0: 'shown', 4: 'no letter matches' },
  options: { ...SELECTION_OPTIONS, limit: { type: 'string' }, open: { type: 'boolean' } },
  maxPositionals: 1,
  run: async (call) => {
    const isSelected = deadLetterFilter(selectionOf(call.values))
    const limit = limitOf(call.values.limit)
    return withLetters(call, async (opened) => {
      const { letters, fateOf } = await openedLetters(opened, call.signal)
      const counts = { all: 0, chosen: 0 }
      for await (const letter of letters) {
        counts.all++
        const fate = fateOf(letter.position)
        if (!isSelected(letter) || (call.values.open === true && fate !== null)) continue
        counts.chosen++
        const view = inspectDeadLetter(letter, { decode: opened.decode, fate })
        call.print(call.json ? JSON.stringify(view) : paragraphOf(view, call))
        if (counts.chosen === limit) break
      }
      const code = endOfSelection(call, { topic: opened.topic, ...counts })
      return code === EXIT.ok && counts.chosen === 0 && call.values.open === true ? EXIT.none : code
    })
  },
}

function limitOf(text: CommandCall['values'][string]): number {
  const limit = Number(text ?? DEFAULT_LIMIT)
  if (Number.isInteger(limit) && limit > 0) return limit
  throw new ConfigurationError(`--limit ${String(text)} must be a whole number above 0`)
}

function paragraphOf({ position, origin, reason, schemaVersion, at, key, headers, value, fate, refusedToday }: DeadLetterView, { paint }: CommandCall): string {
  const today = refusedToday === null ? paint('green', 'it would be taken') : `${paint('red', 'it would die again')}: ${refusedToday.reason}`
  const lines = [
    `${position.partition}-${position.offset}  ${reason.code}: ${reason.message}`,
    `  died       ${at}${schemaVersion === null ? '' : `, schema version ${schemaVersion}`}`,
    `  came from  ${origin === null ? 'somebody who left no origin' : `${origin.topic}, partition ${origin.partition}, offset ${origin.offset}, sent ${origin.at}`}`,
    ...(key === null ? [] : [`  key        ${key}`]),
    ...Object.entries(headers).map(([name, text]) => `  header     ${name}: ${text}`),
    `  value      ${valueLine(value)}`,
    `  is         ${fate === null ? paint('yellow', 'open') : fateText(fate)}`,
    ...(fate === null ? [`  today      ${today}`] : []),
  ]
  return `${lines.join('\n')}\n`
}

function valueLine(value: DeadLetterView['value']): string {
  if (value.kind === 'none') return 'none (a tombstone)'
  const shown = value.kind === 'bytes' ? `base64 ${value.base64}` : value.text
  return value.isCut ? `${shown} … (${value.bytes} bytes)` : shown
}
