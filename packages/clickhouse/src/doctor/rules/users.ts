import type { Row } from '@smart-whale/interfaces'
import { found, type Found, rowRule } from '../rule.ts'

interface AccessRow extends Row {
  user: string
  settings: string[]
  profiles: string[]
  open: number
}

interface UserRow extends Row {
  user: string
  /** Settings that bind the user, directly or by a profile. */
  settings: string[]
  /** Whether anybody may log in as it without a password, from anywhere. */
  open: number
}

const LIMITS = ['max_execution_time', 'max_memory_usage', 'max_rows_to_read', 'max_bytes_to_read', 'max_concurrent_queries_for_user'] as const

/** Users whose queries nothing limits. */
export const usersWithoutLimits = rowRule<UserRow>({
  name: 'users-without-limits',
  summary: 'users whose queries may take any time and memory, or who need no password',
  read: async ({ ask }) => {
    const users = await ask<AccessRow>(
      `SELECT users.name AS user, groupArrayIf(elements.setting_name, isNotNull(elements.setting_name)) AS settings, groupArrayIf(elements.inherit_profile, isNotNull(elements.inherit_profile)) AS profiles,
        any(has(arrayMap(x -> toString(x), auth_type), 'no_password') AND has(host_ip, '::/0')) AS open
      FROM system.users AS users LEFT JOIN system.settings_profile_elements AS elements ON elements.user_name = users.name GROUP BY user`,
    )
    const elements = await ask<Row & { profile: string; settings: string[]; profiles: string[] }>(
      `SELECT profile_name AS profile, groupArrayIf(setting_name, isNotNull(setting_name)) AS settings, groupArrayIf(inherit_profile, isNotNull(inherit_profile)) AS profiles FROM system.settings_profile_elements WHERE isNotNull(profile_name) GROUP BY profile`,
    )
    const byName = new Map(elements.map((element) => [element.profile, element]))
    const settingsOf = (profile: string, seen: ReadonlySet<string> = new Set()): string[] => {
      const element = byName.get(profile)
      if (element === undefined || seen.has(profile)) return []
      return [...element.settings, ...element.profiles.flatMap((parent) => settingsOf(parent, new Set([...seen, profile])))]
    }
    // Every user has the settings of the profile `default`.
    return users.map(({ user, settings, profiles, open }) => ({ user, open, settings: [...settings, ...[...profiles, 'default'].flatMap((profile) => settingsOf(profile))] }))
  },
  judge: (rows) => rows.flatMap((row): Found[] => [...openLogin(row), ...withoutLimits(row)]),
})

function openLogin({ user, open }: UserRow): Found[] {
  if (Number(open) !== 1) return []
  return [found('critical', `user ${user}`, 'needs no password, and may log in from anywhere', { advice: `give it a password, or allow it localhost alone: ALTER USER ${user} HOST LOCAL` })]
}

function withoutLimits({ user, settings }: UserRow): Found[] {
  const missing = ['max_execution_time', 'max_memory_usage'].filter((setting) => !settings.includes(setting))
  if (missing.length < 2) return []
  return [
    found('advice', `user ${user}`, `nothing limits ${missing.join(' and ')}: one query may keep the server from all others`, {
      figures: { limits: LIMITS.filter((setting) => settings.includes(setting)).length },
      fixes: [{ sql: `ALTER USER \`${user.replaceAll('`', '\\`')}\` SETTINGS max_execution_time = 60, max_memory_usage = 4000000000`, caution: 'queries of this user that take longer or more then fail; users of the users file have to be changed there' }],
    }),
  ]
}
