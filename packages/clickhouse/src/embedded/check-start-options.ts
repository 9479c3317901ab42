import { ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import type { StartClickHouseOptions } from './start-options.ts'

const USER_NAME = /^[A-Za-z_][\w-]*$/
const DATABASE_PATTERN = /^(?:[^*]+|\w+\*)$/

/** @throws ValidationError naming each option that can't be right */
export function checkStartOptions(options: StartClickHouseOptions): void {
  const issues: ValidationIssue[] = []
  const complain = (path: (string | number)[], message: string): void => void issues.push({ path, message })

  if (typeof options.dataDir !== 'string' || options.dataDir === '') complain(['dataDir'], 'must be the path of a folder')
  const { port } = options
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) complain(['port'], `must be an integer from 0 to 65535, found ${String(port)}`)
  for (const name of ['startTimeoutMs', 'busyTimeoutMs'] as const) {
    const value = options[name]
    if (value !== undefined && !(value >= 0 && value <= 2 ** 31)) complain([name], `must be milliseconds of 0 or more, found ${String(value)}`)
  }

  const taken = new Set(['default'])
  const users = [
    { path: ['owner'], username: options.owner?.username ?? 'owner', databases: [] },
    { path: ['reader'], username: options.reader?.username ?? 'reader', databases: options.reader?.databases ?? [] },
    ...(options.users ?? []).map((user, index) => ({ path: ['users', index], username: user.username, databases: user.databases ?? [] })),
  ]
  for (const { path, username, databases } of users) {
    if (!USER_NAME.test(username)) complain([...path, 'username'], 'must start with a letter and hold only letters, digits, "_" and "-"')
    if (taken.has(username)) complain([...path, 'username'], `"${username}" is taken; each account needs a name of its own, and "default" is reserved`)
    taken.add(username)
    databases.forEach((name, index) => {
      if (!DATABASE_PATTERN.test(name)) complain([...path, 'databases', index], 'must be a database name, or the start of one (letters, digits, "_") followed by "*"')
    })
  }

  if (issues.length === 0) return
  const first = issues[0]
  throw new ValidationError(`startClickHouse: ${first?.path.join('.')} ${first?.message}`, { issues })
}
