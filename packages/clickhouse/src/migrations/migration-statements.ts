import { ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { type SqlToken, sqlTokens } from '../sql-tokens.ts'

/**
 * The statements of a text, cut at the semicolons that stand in no string, name or comment. Comments between statements are dropped.
 * @throws ValidationError `ERR_CLICKHOUSE_MIGRATION_FILE` for data that follows an `INSERT … FORMAT`: nobody can tell where it ends
 */
export function splitStatements(text: string): string[] {
  const statements: string[] = []
  let current: SqlToken[] = []
  const finish = (): void => {
    const [first, last] = [current[0], current.at(-1)]
    if (first !== undefined && last !== undefined) statements.push(text.slice(first.start, last.end))
    current = []
  }
  for (const token of sqlTokens(text)) {
    if (token.text === ';') finish()
    else current.push(token)
    if (token.kind === 'word' && token.value === 'FORMAT' && current[0]?.value === 'INSERT')
      throw inlineData(text.slice(current[0].start, token.end))
  }
  finish()
  return statements
}

/** Whether a statement may be sent again although it may have taken effect: the second time then changes nothing. */
export function isRepeatable(statement: string): boolean {
  const tokens = [...sqlTokens(statement)]
  const words = tokens.filter(({ kind }) => kind === 'word').map(({ value }) => value)
  switch (words[0]) {
    case 'CREATE':
      return says(words, 'IF NOT EXISTS') || says(words.slice(0, 3), 'OR REPLACE')
    case 'REPLACE':
    case 'TRUNCATE':
    case 'OPTIMIZE':
    case 'GRANT':
    case 'REVOKE':
    case 'SYSTEM':
    case 'SELECT':
    case 'WITH':
    case 'EXISTS':
    case 'SHOW':
      return true
    case 'DROP':
    case 'DETACH':
      return says(words, 'IF EXISTS')
    case 'DELETE':
      return true
    case 'ALTER':
      return alterCommands(tokens).every(isRepeatableCommand)
    default:
      return false
  }
}

/** Whether a statement that the server refused has changed nothing: inserts may have written some blocks, clusters may have told some servers. */
export function leavesNothingWhenItFails(statement: string): boolean {
  if (isRepeatable(statement)) return true
  const words = [...sqlTokens(statement)].filter(({ kind }) => kind === 'word').map(({ value }) => value)
  const fillsWhileItCreates = words[0] === 'CREATE' && (words.includes('SELECT') || words.includes('POPULATE')) && !words.includes('VIEW')
  return (
    ['CREATE', 'DROP', 'ALTER', 'RENAME', 'EXCHANGE', 'ATTACH', 'DETACH'].includes(words[0] ?? '') &&
    !says(words, 'ON CLUSTER') &&
    !fillsWhileItCreates &&
    !words.includes('POPULATE')
  )
}

/** The commands of an ALTER: what stands between the commas that lie in no bracket, without `ALTER TABLE name`. */
function alterCommands(tokens: readonly SqlToken[]): string[][] {
  const commands: string[][] = [[]]
  let depth = 0
  for (const { kind, value, text } of tokens) {
    if (text === '(') depth += 1
    else if (text === ')') depth -= 1
    else if (text === ',' && depth === 0) commands.push([])
    else if (kind === 'word' && depth === 0) commands.at(-1)?.push(value)
  }
  const verb = (commands[0] ?? []).findIndex((word, index) => index >= 2 && COMMANDS.has(word))
  commands[0] = verb === -1 ? [] : (commands[0] ?? []).slice(verb)
  return commands
}

const COMMANDS = new Set(
  'ADD DROP MODIFY ALTER COMMENT RENAME CLEAR MATERIALIZE UPDATE DELETE RESET ATTACH DETACH MOVE FREEZE REPLACE FETCH REMOVE'.split(' '),
)

function isRepeatableCommand(words: readonly string[]): boolean {
  switch (words[0]) {
    case 'ADD':
      return says(words, 'IF NOT EXISTS')
    case 'DROP':
    case 'CLEAR':
    case 'RENAME':
      return says(words, 'IF EXISTS')
    case 'MODIFY':
    case 'ALTER':
    case 'COMMENT':
    case 'MATERIALIZE':
    case 'RESET':
    case 'DELETE':
      return true
    default:
      return false
  }
}

/** Whether the words stand one after the other. */
function says(words: readonly string[], phrase: string): boolean {
  return ` ${words.join(' ')} `.includes(` ${phrase} `)
}

function inlineData(start: string): ValidationError<ClickHouseErrorCode> {
  const message = `data behind "${start.slice(0, 60)}" can't be told from statements; write it as VALUES, or load it by other means`
  return new ValidationError<ClickHouseErrorCode>(message, { code: 'ERR_CLICKHOUSE_MIGRATION_FILE', issues: [{ path: ['sql'], message }] })
}
