import { type Command, type CommandCall, EXIT } from '@smart-whale/app-process'
import { toWire } from '@smart-whale/interfaces'
import { type DeadLetterGroup, groupDeadLetters } from '@smart-whale/messaging/dead-letters'
import { tableText } from '../print-table.ts'
import { count, moment } from '../words.ts'
import { openedLetters, withLetters } from './open-letters.ts'

/** What letters died of, the most frequent first. */
export const listDeadLetters: Command = {
  name: 'dead-letters list',
  summary: 'Tells what the dead letters of a topic died of, and how many are still open',
  usage: 'TOPIC [--json]',
  help: `Groups by reason and schema version, the largest first, with a few places of open letters to look at. A letter is open until it was sent
again or dropped; it stays in its topic either way.

  --json   {"topic", "letters", "open", "groups": [{"code", "pattern", "schemaVersion", "count", "replayed", "dropped", "firstAt", "lastAt", "examples"}]}`,
  examples: [['rides', 'what died of which cause']],
  exits: { 0: 'told, also where there are none' },
  options: {},
  maxPositionals: 1,
  run: (call) =>
    withLetters(call, async (opened) => {
      const { topic } = opened
      const { letters, fateOf } = await openedLetters(opened, call.signal)
      const groups = await groupDeadLetters(letters, fateOf)
      const all = sum(groups, 'count')
      const open = all - sum(groups, 'replayed') - sum(groups, 'dropped')
      if (call.json) call.print(JSON.stringify(toWire({ topic, letters: all, open, groups: groups.map(inIso) })))
      else if (groups.length === 0) call.print(`${topic} has no dead letters`)
      else printGroups(groups, `${topic}: ${count(all, 'letter')}, ${open} open`, call)
      return EXIT.ok
    }),
}

function sum(groups: readonly DeadLetterGroup[], name: 'count' | 'replayed' | 'dropped'): number {
  return groups.reduce((total, group) => total + group[name], 0)
}

function inIso(group: DeadLetterGroup): object {
  return { ...group, firstAt: new Date(group.firstAt).toISOString(), lastAt: new Date(group.lastAt).toISOString() }
}

function printGroups(groups: readonly DeadLetterGroup[], summary: string, { print }: CommandCall): void {
  const rows = groups.map((group) => [
    group.count,
    group.count - group.replayed - group.dropped,
    group.replayed,
    group.dropped,
    group.code,
    group.schemaVersion,
    moment(group.firstAt),
    moment(group.lastAt),
    group.examples.map(({ partition, offset }) => `${partition}-${offset}`).join(' ') || null,
    group.pattern,
  ])
  print(tableText(['letters', 'open', 'replayed', 'dropped', 'code', 'version', 'first', 'last', 'at', 'reason'], rows))
  print(summary)
}
