import { type Command, EXIT } from '@smart-whale/app-process'
import { replayDeadLetters as replay, type ReplayReport } from '@smart-whale/messaging'
import { operator, SELECTION_HELP, SELECTION_OPTIONS, selectionOf, withLetters } from './open-letters.ts'
import { readPatchFile } from './read-patch-file.ts'

/** Sends letters back into their topic. */
export const replayDeadLetters: Command = {
  name: 'dead-letters replay',
  summary: 'Sends dead letters back into their topic, each at most once however often it is called',
  usage: 'TOPIC [--patch FILE] [--dry-run] [--json]',
  help: `  --patch FILE             mends each before it is sent; see "dead-letters patch"
  --dry-run                only tells what would be sent
  --by NAME                who does it, for the journal (the user of this machine)

${SELECTION_HELP}

Letters that would die again stay where they are. Exit codes: 0 all that were chosen are sent, now or before; 1 the broker is away, or
another replay is running; 2 the command line is wrong; 3 some would die again and were left.`,
  options: { ...SELECTION_OPTIONS, patch: { type: 'string' }, 'dry-run': { type: 'boolean' }, by: { type: 'string' } },
  maxPositionals: 1,
  run: async (call) => {
    const { patch: file, 'dry-run': dryRun } = call.values
    const patch = typeof file === 'string' ? await readPatchFile(file) : undefined
    return withLetters(call, async ({ transport, topic, decode }) => {
      const report = await replay(transport, {
        topic,
        select: selectionOf(call.values),
        patch,
        decode,
        dryRun: dryRun === true,
        by: operator(call.values),
        ...(dryRun === true ? {} : { onProgress: (sent: number) => call.progress(`${sent} sent`) }),
        signal: call.signal,
      })
      call.print(call.json ? JSON.stringify(report) : summaryOf(report))
      return report.stillBad === 0 ? EXIT.ok : EXIT.found
    })
  },
}

function summaryOf({ isDryRun, selected, sent, settledBefore, stillBad, stillBadExamples }: ReplayReport): string {
  const examples = stillBadExamples.map(({ place, reason }) => `\n  ${place}  ${reason}`).join('')
  return `${selected} chosen: ${sent} ${isDryRun ? 'would be sent' : 'sent'}, ${settledBefore} settled before, ${stillBad} would die again${examples}`
}
