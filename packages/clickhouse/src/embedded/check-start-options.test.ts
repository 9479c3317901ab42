import { ValidationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { checkStartOptions } from './check-start-options.ts'
import type { StartClickHouseOptions } from './start-options.ts'

describe('checkStartOptions', () => {
  it('takes sensible options', () => {
    checkStartOptions({ dataDir: '/data', port: 0, reader: { databases: ['a b', 'test_*'] }, users: [{ username: 'a-b_1' }] })
  })

  it.each<[string, Partial<StartClickHouseOptions>]>([
    ['dataDir', { dataDir: '' }],
    ['port', { port: 70_000 }],
    ['port', { port: 1.5 }],
    ['startTimeoutMs', { startTimeoutMs: Number.NaN }],
    ['owner.username', { owner: { username: 'default' } }],
    ['owner.username', { owner: { username: '<x/>' } }],
    ['reader.databases.0', { reader: { databases: ['*'] } }],
    ['reader.databases.1', { reader: { databases: ['a', 'b*c'] } }],
    ['users.0.username', { users: [{ username: 'reader' }] }],
    ['users.1.username', { users: [{ username: 'a' }, { username: 'a' }] }],
  ])('names %s', (path, options) => {
    try {
      checkStartOptions({ dataDir: '/data', ...options })
    } catch (error) {
      return expect(ValidationError.isInstance(error) && error.issues.map((issue) => issue.path.join('.'))).toContain(path)
    }
    return expect.fail('nothing was refused')
  })
})
