import { type Command, EXIT } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { deadLetterFilter, inspectDeadLetter, patchedValue, readDeadLetters } from '@smart-whale/messaging'
import { SELECTION_HELP, SELECTION_OPTIONS, selectionOf, withLetters } from './open-letters.ts'
import { readPatchFile } from './read-patch-file.ts'

/** Tries a patch on the letters, and sends nothing. */
export const patchDeadLetters: Command = {
  name: 'dead-letters patch',
  summary: 'Tries a patch on dead letters and tells what would come of it; sends nothing',
  usage: 'TOPIC --patch FILE [--json]',
  help: `  --patch FILE             JSON with set, fill, remove and rename, or a module whose default export is (event, letter) => event\n\n${SELECTION_HELP}\n\nExit codes: 0 all of them would be taken; 1 the broker is away; 2 the command line is wrong; 3 some would die again.`,
  options: { ...SELECTION_OPTIONS, patch: { type: 'string' } },
  maxPositionals: 1,
  run: async (call) => {
    const file = call.values.patch
    if (typeof file !== 'string') throw new ConfigurationError('--patch FILE is missing: what is to be tried?')
    const patch = await readPatchFile(file)
    return withLetters(call, async ({ transport, topic, decode }) => {
      const isSelected = deadLetterFilter(selectionOf(call.values))
      const counts = { taken: 0, stillBad: 0 }
      for await (const letter of readDeadLetters(transport, topic, { signal: call.signal })) {
        if (!isSelected(letter)) continue
        const patched = patchedValue(letter, patch)
        const view = inspectDeadLetter({ ...letter, value: patched === null ? letter.value : patched.value }, { decode })
        const isTaken = patched !== null && view.refusedToday === null
        counts[isTaken ? 'taken' : 'stillBad']++
        const outcome = isTaken ? 'would be taken' : patched === null ? 'the patch leaves it' : `would die again: ${view.refusedToday?.reason ?? ''}`
        call.print(call.json ? JSON.stringify({ ...view, outcome }) : `${view.position.partition}-${view.position.offset}  ${outcome}  ${view.value.kind === 'none' || view.value.kind === 'bytes' ? view.value.kind : view.value.text}`)
      }
      call.progress(`${counts.taken} would be taken, ${counts.stillBad} would stay`)
      return counts.stillBad === 0 ? EXIT.ok : EXIT.found
    })
  },
}
