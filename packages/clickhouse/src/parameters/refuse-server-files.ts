import type { QueryParams } from '../adapter-options.ts'
import { PermissionDeniedError } from '../operational-errors.ts'
import { sqlTokens } from '../sql-tokens.ts'
import { isTyped } from './typed-value.ts'

/**
 * Refuses a query that names the function `file`, which reads any file of an embedded server's machine: unlike the table
 * function of that name it needs no right, and nothing in a user's profile switches it off.
 *
 * The name is refused wherever it stands (`file(…)`, `APPLY file`, `arrayMap(file, …)`) and however it is written, but for
 * texts and for what follows a dot: a column of that name can be asked for as `t.file`.
 *
 * @throws PermissionDeniedError `ERR_CLICKHOUSE_PERMISSION_DENIED`
 */
export function refuseServerFiles(query: string, params: QueryParams | undefined): void {
  const asIdentifier = (value: unknown): boolean => (isTyped(value) ? value.type === 'Identifier' && value.value === 'file' : value === 'file' && /\bIdentifier\b/.test(query))
  if (namesFile(query) || Object.values(params ?? {}).some(asIdentifier)) {
    throw new PermissionDeniedError('the query names the function "file", which reads files of the server; read-only users may not (a column of that name is written with its table: t.file)')
  }
}

function namesFile(query: string): boolean {
  // Nearly every query ends here; a quoted name may spell it with escapes.
  if (!/file/i.test(query) && !query.includes('\\')) return false
  let before = ''
  for (const token of sqlTokens(query)) {
    const name = token.kind === 'word' ? token.text : token.kind === 'name' ? token.value : token.kind === 'number' && token.text.includes('file') ? 'file' : ''
    if (name === 'file' && before !== '.') return true
    before = token.text
  }
  return false
}
