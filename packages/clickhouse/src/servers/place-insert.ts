import type { TableDescription } from '../adapter/table-columns.ts'
import type { InsertOptions, ServerChoice } from '../adapter-options.ts'

/** Where an insert goes, and whether it may be sent again there. */
export interface InsertPlace {
  readonly choice: ServerChoice
  readonly mayRepeat: boolean
}

/**
 * The token decides where: a server remembers the tokens that it has seen itself. So a repeat goes to the same server, also when another
 * process sends it; at another one it would be stored a second time. Replicas remember together: there any will do, and the token only says which is asked first.
 * So it does where nobody remembers anything, or whoever stands behind a `Distributed` table: no server knows more than another.
 *
 * @param homeOf the server that a word always means, whether it is there or not
 */
export function placeInsert(options: InsertOptions & { token: string }, table: Pick<TableDescription, 'isReplicated' | 'deduplicates'>, homeOf: (key: string) => string): InsertPlace {
  const { token, guard, pinTo, stickTo = token } = options
  // Whoever guards an insert has to know which attempt is which.
  const mayRepeat = table.deduplicates && guard === undefined
  if (pinTo !== undefined) return { choice: { pinTo }, mayRepeat }
  const isKnownThereAlone = table.deduplicates && !table.isReplicated
  return { choice: isKnownThereAlone ? { pinTo: homeOf(stickTo) } : { stickTo }, mayRepeat }
}
