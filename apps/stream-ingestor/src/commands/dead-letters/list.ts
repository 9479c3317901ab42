import { type Command, EXIT } from '@smart-whale/app-process'
import { toWire } from '@smart-whale/interfaces'
import { type DeadLetterGroup, groupDeadLetters, readDeadLetters } from '@smart-whale/messaging'
import { withLetters } from './open-letters.ts'

/** What letters died of, the most frequent first. */
export const listDeadLetters: Command = {
  name: 'dead-letters list',
  summary: 'Tells what the dead letters of a topic died of',
  usage: 'TOPIC [--json]',
  help: 'Groups by reason and schema version, with a few places to look at. Exit codes: 0 told; 1 the broker is away; 2 the command line is wrong.',
  options: {},
  maxPositionals: 1,
  run: (call) =>
    withLetters(call, async ({ transport, topic }) => {
      const groups = await groupDeadLetters(readDeadLetters(transport, topic, { signal: call.signal }))
      if (call.json) call.print(JSON.stringify(toWire({ topic, groups })))
      else if (groups.length === 0) call.print(`${topic} has no dead letters`)
      else for (const group of groups) call.print(lineOf(group))
      return EXIT.ok
    }),
}

function lineOf({ count, code, pattern, schemaVersion, firstAt, lastAt, examples }: DeadLetterGroup): string {
  const version = schemaVersion === null ? '' : ` (version ${schemaVersion})`
  const places = examples.map(({ partition, offset }) => `${partition}-${offset}`).join(' ')
  return `${String(count).padStart(8)}  ${code}${version}: ${pattern}\n          ${new Date(firstAt).toISOString()} … ${new Date(lastAt).toISOString()}, at ${places}`
}
