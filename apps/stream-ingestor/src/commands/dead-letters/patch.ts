import { type Command, EXIT } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { deadLetterFilter, type DeadLetterView, inspectDeadLetter, patchedValue } from '@smart-whale/messaging/dead-letters'
import { count } from '../words.ts'
import { openedLetters, withLetters } from './open-letters.ts'
import { readPatchFile } from './read-patch-file.ts'
import { endOfSelection, SELECTION_HELP, SELECTION_OPTIONS, selectionOf } from './selection-options.ts'

/** Tries a patch on the letters, and sends nothing. */
export const patchDeadLetters: Command = {
  name: 'dead-letters patch',
  summary: 'Tries a patch on the open dead letters and tells what would come of it; sends nothing',
  usage: 'TOPIC --patch FILE [--json]',
  help: `  --patch FILE             JSON with rename, remove, fill and set, or a module whose default export is (event, letter) => event
  --json                   a line for each letter: what "show" tells, with the patched value, and "outcome"

${SELECTION_HELP}`,
  examples: [
    ['rides --patch patch.json', 'what the patch makes of each, and which would die again'],
    ['rides --patch patch.mjs --code invalid', 'the same with a module, for one kind'],
  ],
  exits: { 0: 'all of them would be taken', 3: 'some would die again, or are left by the patch', 4: 'no letter matches' },
  options: { ...SELECTION_OPTIONS, patch: { type: 'string' } },
  maxPositionals: 1,
  run: async (call) => {
    const file = call.values.patch
    if (typeof file !== 'string') throw new ConfigurationError('--patch FILE is missing: what is to be tried?')
    const patch = await readPatchFile(file)
    const isSelected = deadLetterFilter(selectionOf(call.values))
    return withLetters(call, async (opened) => {
      const { letters, fateOf } = await openedLetters(opened, call.signal)
      const counts = { all: 0, chosen: 0, settled: 0, taken: 0, stillBad: 0 }
      for await (const letter of letters) {
        counts.all++
        if (!isSelected(letter)) continue
        counts.chosen++
        if (fateOf(letter.position) !== null) {
          counts.settled++
          continue
        }
        const patched = patchedValue(letter, patch)
        const view = inspectDeadLetter({ ...letter, value: patched === null ? letter.value : patched.value }, { decode: opened.decode })
        const outcome = outcomeOf(view, patched !== null)
        counts[outcome === TAKEN ? 'taken' : 'stillBad']++
        call.print(call.json ? JSON.stringify({ ...view, outcome }) : `${view.position.partition}-${view.position.offset}  ${call.paint(outcome === TAKEN ? 'green' : 'red', outcome)}  ${valueText(view)}`)
      }
      const settled = counts.settled === 0 ? '' : `, ${counts.settled} settled before`
      if (counts.chosen > 0) call.progress(`${count(counts.chosen, 'letter')}: ${counts.taken} would be taken, ${counts.stillBad} would stay${settled}`)
      return counts.stillBad > 0 ? EXIT.found : endOfSelection(call, { topic: opened.topic, ...counts })
    })
  },
}

const TAKEN = 'would be taken'

function outcomeOf({ refusedToday }: DeadLetterView, isPatched: boolean): string {
  if (!isPatched) return 'the patch leaves it'
  return refusedToday === null ? TAKEN : `would die again: ${refusedToday.reason}`
}

function valueText({ value }: DeadLetterView): string {
  return value.kind === 'none' || value.kind === 'bytes' ? value.kind : value.text
}
