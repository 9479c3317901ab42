import { type Command, EXIT } from '@smart-whale/app-process'
import { deadLetterTopic, replayDeadLetters as replay, type ReplayReport } from '@smart-whale/messaging/dead-letters'
import { count } from '../words.ts'
import { operator, withLetters } from './open-letters.ts'
import { readPatchFile } from './read-patch-file.ts'
import { endOfSelection, isNarrowed, SELECTION_HELP, SELECTION_OPTIONS, selectionOf } from './selection-options.ts'

/** Sends letters back into their topic. */
export const replayDeadLetters: Command = {
  name: 'dead-letters replay',
  summary: 'Sends dead letters back into their topic, each at most once however often it is called',
  usage: 'TOPIC [--patch FILE] [--dry-run] [--by NAME] [--json]',
  help: `  --patch FILE             mends each before it is sent; see "dead-letters patch"
  --dry-run                only tells what would be sent
  --by NAME                who does it, for the journal (the user of this machine)
  --json                   {"topic", "isDryRun", "selected", "sent", "settledBefore", "stillBad", "stillBadExamples"}

${SELECTION_HELP}

Letters that would die again stay where they are. One replay of a topic runs at a time.`,
  examples: [
    ['rides --code invalid --dry-run', 'how many would be sent, and which would die again'],
    ['rides --code invalid --patch patch.json --by ada', 'mend and send them, noted as done by ada'],
  ],
  exits: { 0: 'all that were chosen are sent, now or before', 3: 'some would die again and were left', 4: 'no letter matches' },
  options: { ...SELECTION_OPTIONS, patch: { type: 'string' }, 'dry-run': { type: 'boolean' }, by: { type: 'string' } },
  maxPositionals: 1,
  run: async (call) => {
    const { patch: file } = call.values
    const dryRun = call.values['dry-run'] === true
    const patch = typeof file === 'string' ? await readPatchFile(file) : undefined
    const select = selectionOf(call.values)
    return withLetters(call, async ({ transport, topic, decode, versionOf }) => {
      if ((await transport.topics.describe(deadLetterTopic(topic), { signal: call.signal })) === null) return endOfSelection(call, { topic, chosen: 0, all: 0 })
      const onProgress = dryRun ? undefined : (sent: number): void => call.progress(`${sent} sent`)
      const report = await replay(transport, { topic, select, versionOf, patch, decode, dryRun, by: operator(call.values), onProgress, signal: call.signal })
      call.print(call.json ? JSON.stringify(report) : summaryOf(report))
      if (report.selected === 0) return isNarrowed(call.values) ? EXIT.none : EXIT.ok
      return report.stillBad === 0 ? EXIT.ok : EXIT.found
    })
  },
}

function summaryOf({ isDryRun, selected, sent, settledBefore, stillBad, stillBadExamples }: ReplayReport): string {
  if (selected === 0) return 'no letter matches; nothing was sent'
  const examples = stillBadExamples.map(({ place, reason }) => `\n  ${place}  ${reason}`).join('')
  const more = stillBad > stillBadExamples.length ? `\n  … and ${stillBad - stillBadExamples.length} more` : ''
  return `${count(selected, 'letter')} chosen: ${sent} ${isDryRun ? 'would be sent' : 'sent'}, ${settledBefore} settled before, ${stillBad} would die again${examples}${more}`
}
