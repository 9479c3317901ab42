import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRolePolicy, type RoleDefinitions } from './index.ts'

const PERMISSIONS = [
  'health:read',
  'timeseries:read',
  'analytics:cache:read',
  'analytics:query',
  'timeseries:write',
  'ingest:write',
  'analytics:cache:invalidate',
  'metrics:read',
  'dead-letters:read',
  'dead-letters:replay',
]

describe('the default roles', () => {
  it.each([
    ['viewer', 3],
    ['analyst', 4],
    ['operator', 10],
    ['admin', 10],
  ])('%s may do the first %i of the permissions', (role, count) => {
    const policy = createRolePolicy()

    const allowed = PERMISSIONS.filter((permission) => policy.isAllowed([role], permission))

    expect(allowed).toEqual(PERMISSIONS.slice(0, count))
  })

  it('only admin may do what nobody has heard of', () => {
    const policy = createRolePolicy()

    expect(['viewer', 'analyst', 'operator', 'admin'].filter((role) => policy.isAllowed([role], 'backups:restore'))).toEqual(['admin'])
  })

  it('an unknown role gives nothing, whatever it is called', () => {
    const policy = createRolePolicy()

    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('constructor', '__proto__', 'toString', 'Admin', 'admin ', '*'))), (roles) => {
        fc.pre(!roles.some((role) => ['viewer', 'analyst', 'operator', 'admin'].includes(role)))
        return PERMISSIONS.every((permission) => !policy.isAllowed(roles, permission))
      }),
    )
  })
})

describe('a role policy', () => {
  const policyOf = (allow: string[], deny: string[] = []) => createRolePolicy({ role: { allow, deny } })

  it.each([
    ['*', 'analytics:cache:read', true],
    ['timeseries:*', 'timeseries:read', true],
    ['timeseries:*', 'timeseries', false],
    ['timeseries:*', 'timeseriesx:read', false],
    ['*:read', 'analytics:cache:read', true],
    ['*:read', 'analytics:cache:readall', false],
    ['analytics:*:read', 'analytics:cache:read', true],
    ['analytics:*:read', 'analytics:query', false],
    ['timeseries:read', 'timeseries:read', true],
    ['timeseries:read', 'timeseries:read:all', false],
  ])('%s on %s: %s', (pattern, permission, expected) => {
    expect(policyOf([pattern]).isAllowed(['role'], permission)).toBe(expected)
  })

  it('denies what any held or inherited role denies, whatever else allows it', () => {
    const policy = createRolePolicy({
      trainee: { allow: ['timeseries:*'], deny: ['timeseries:write'] },
      intern: { inherits: ['trainee'], allow: ['timeseries:write', 'analytics:query'] },
      admin: { allow: ['*'] },
    })

    expect(policy.isAllowed(['admin'], 'timeseries:write')).toBe(true)
    expect(policy.isAllowed(['admin', 'trainee'], 'timeseries:write')).toBe(false)
    expect(policy.isAllowed(['intern'], 'timeseries:write')).toBe(false)
    expect(policy.isAllowed(['intern'], 'timeseries:read')).toBe(true)
  })

  it('inherits over several steps and from several roles', () => {
    const policy = createRolePolicy({ a: { allow: ['a:x'] }, b: { allow: ['b:x'] }, c: { inherits: ['a', 'b'] }, d: { inherits: ['c', 'a'] } })

    expect(['a:x', 'b:x', 'c:x'].map((permission) => policy.isAllowed(['d'], permission))).toEqual([true, true, false])
  })

  it.each(['', '*', 'timeseries:*', 'a b', 'a::b', ':a', 'a:', 'a.*', '[a]'])('never allows the malformed permission %j', (permission) => {
    expect(policyOf(['*']).isAllowed(['role'], permission)).toBe(false)
  })

  it.each<[string, RoleDefinitions, (string | number)[]]>([
    ['a role that inherits from itself', { a: { inherits: ['a'] } }, ['a', 'inherits']],
    ['a longer circle', { a: { inherits: ['b'] }, b: { inherits: ['c'] }, c: { inherits: ['a'] } }, ['c', 'inherits']],
    ['an unknown ancestor', { a: { inherits: ['toString'] } }, ['a', 'inherits']],
    ['a malformed pattern', { a: { allow: ['x:y', 'time*:read'] } }, ['a', 'allow', 1]],
    ['a pattern that is no text', { a: { deny: [/x/ as unknown as string] } }, ['a', 'deny', 0]],
  ])('refuses %s', (_case, definitions, path) => {
    expect(() => createRolePolicy(definitions)).toThrow(
      expect.objectContaining({ code: 'ERR_SECURITY_ROLES', issues: [expect.objectContaining({ path })] }),
    )
  })
})
