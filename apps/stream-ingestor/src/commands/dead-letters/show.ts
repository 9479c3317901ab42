import { type Command, EXIT } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { deadLetterFilter, type DeadLetterView, inspectDeadLetter, readDeadLetters } from '@smart-whale/messaging'
import { SELECTION_HELP, SELECTION_OPTIONS, selectionOf, withLetters } from './open-letters.ts'

const DEFAULT_LIMIT = 10

/** Single letters, with everything that is known of them. */
export const showDeadLetters: Command = {
  name: 'dead-letters show',
  summary: 'Shows single dead letters: origin, reason, content, and whether they would die again',
  usage: 'TOPIC [--at PARTITION-OFFSET] [--limit N] [--json]',
  help: `${SELECTION_HELP}\n  --limit N                show so many (${DEFAULT_LIMIT})\n\nWith --json one letter a line. Exit codes: 0 shown; 1 the broker is away; 2 the command line is wrong.`,
  options: { ...SELECTION_OPTIONS, limit: { type: 'string' } },
  maxPositionals: 1,
  run: (call) =>
    withLetters(call, async ({ transport, topic, decode }) => {
      const isSelected = deadLetterFilter(selectionOf(call.values))
      let left = limitOf(call.values.limit)
      for await (const letter of readDeadLetters(transport, topic, { signal: call.signal })) {
        if (!isSelected(letter)) continue
        const view = inspectDeadLetter(letter, { decode })
        call.print(call.json ? JSON.stringify(view) : paragraphOf(view))
        if (--left === 0) break
      }
      return EXIT.ok
    }),
}

function limitOf(text: CommandCallValue): number {
  const limit = Number(text ?? DEFAULT_LIMIT)
  if (Number.isInteger(limit) && limit > 0) return limit
  throw new ConfigurationError(`--limit ${String(text)} must be a whole number above 0`)
}

type CommandCallValue = string | boolean | (string | boolean)[] | undefined

function paragraphOf({ position, origin, reason, schemaVersion, at, key, headers, value, refusedToday }: DeadLetterView): string {
  const lines = [
    `${position.partition}-${position.offset}  ${reason.code}: ${reason.message}`,
    `  died      ${at}${schemaVersion === null ? '' : `, schema version ${schemaVersion}`}`,
    `  came from ${origin === null ? 'somebody who left no origin' : `${origin.topic}, partition ${origin.partition}, offset ${origin.offset}, sent ${origin.at}`}`,
    ...(key === null ? [] : [`  key       ${key}`]),
    ...Object.entries(headers).map(([name, text]) => `  header    ${name}: ${text}`),
    `  value     ${valueLine(value)}`,
    `  today     ${refusedToday === null ? 'it would be taken' : `it would die again: ${refusedToday.reason}`}`,
  ]
  return `${lines.join('\n')}\n`
}

function valueLine(value: DeadLetterView['value']): string {
  if (value.kind === 'none') return 'none (a tombstone)'
  const shown = value.kind === 'bytes' ? `base64 ${value.base64}` : value.text
  return value.isCut ? `${shown} … (${value.bytes} bytes)` : shown
}
