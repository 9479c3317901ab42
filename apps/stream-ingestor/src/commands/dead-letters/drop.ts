import { type Command, EXIT } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { deadLetterTopic, dropDeadLetters as drop } from '@smart-whale/messaging/dead-letters'
import { count } from '../words.ts'
import { operator, withLetters } from './open-letters.ts'
import { endOfSelection, isNarrowed, SELECTION_HELP, SELECTION_OPTIONS, selectionOf } from './selection-options.ts'

/** Notes that letters are not to be sent again. */
export const dropDeadLetters: Command = {
  name: 'dead-letters drop',
  summary: 'Notes that dead letters are not to be sent again; they stay where they are',
  usage: 'TOPIC (--at PARTITION-OFFSET… | --code CODE… | …) [--dry-run] [--by NAME] [--json]',
  help: `  --dry-run                only tells how many it would be
  --by NAME                who decides it, for the journal (the user of this machine)
  --json                   {"topic", "isDryRun", "dropped"}

${SELECTION_HELP}

One option at least has to say which. A letter that was sent again or dropped before is not counted.`,
  examples: [
    ['rides --code undecodable --until 2026-11-01T00:00:00Z --dry-run', 'how many are that old and no JSON'],
    ['rides --at 0-17 --by ada', 'give this one up, noted as decided by ada'],
  ],
  exits: { 0: 'noted', 4: 'no open letter matches' },
  options: { ...SELECTION_OPTIONS, 'dry-run': { type: 'boolean' }, by: { type: 'string' } },
  maxPositionals: 1,
  run: async (call) => {
    if (!isNarrowed(call.values)) throw new ConfigurationError('which letters? Give --at, --code, --reason, --schema-version, --since or --until')
    const select = selectionOf(call.values)
    const isDryRun = call.values['dry-run'] === true
    return withLetters(call, async ({ transport, topic, versionOf }) => {
      if ((await transport.topics.describe(deadLetterTopic(topic), { signal: call.signal })) === null) return endOfSelection(call, { topic, chosen: 0, all: 0 })
      const dropped = await drop(transport, { topic, select, versionOf, dryRun: isDryRun, by: operator(call.values), signal: call.signal })
      call.print(call.json ? JSON.stringify({ topic, isDryRun, dropped }) : `${count(dropped, 'letter')} ${isDryRun ? 'would be dropped' : 'dropped'}`)
      return dropped === 0 ? EXIT.none : EXIT.ok
    })
  },
}
