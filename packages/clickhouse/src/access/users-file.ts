import type { EmbeddedUserOptions } from '../embedded/start-options.ts'
import type { CheckedLevel } from './check-levels.ts'
import { changeableSettings, levelSettings } from './level-settings.ts'

/** What the server's lists of tables and columns show beside their names: how much is in them, of all tenants together. */
export const TELLING_LISTS = ['tables', 'columns', 'databases']

/** The levels' users as the embedded server takes them at its start, which is the only time that it reads its users. */
export function embeddedUsers(levels: readonly CheckedLevel[]): (EmbeddedUserOptions & { username: string })[] {
  return levels.map((level) => ({
    username: level.user,
    password: level.password,
    databases: [],
    tables: [...level.tables, ...(level.byTenant ? TELLING_LISTS.map((table) => ({ database: 'system', table, filter: '0', columns: [] })) : [])],
    settings: levelSettings(level),
    changeable: changeableSettings(level),
  }))
}
