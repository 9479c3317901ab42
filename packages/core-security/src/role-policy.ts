import { ValidationError } from '@smart-whale/interfaces'
import { compilePattern, isPermission, isPermissionPattern } from './match-permission.ts'

/** What one role may do. Permissions are `resource:action`, with `*` for one or more words. */
export interface RoleDefinition {
  /** Roles whose permissions, and denials, this one has too. @default none */
  readonly inherits?: readonly string[]
  /** What the role may do. @default nothing */
  readonly allow?: readonly string[]
  /** What nobody who holds the role may do, whatever else they hold. @default nothing */
  readonly deny?: readonly string[]
}

/** Role name to what it may do. */
export type RoleDefinitions = Readonly<Record<string, RoleDefinition>>

/** Decides what roles may do. */
export interface RolePolicy {
  /** Whether one of the roles allows it and none denies it. An unknown role gives nothing, a malformed permission is never allowed. */
  isAllowed(roles: readonly string[], permission: string): boolean
  /** What the roles allow and deny, as patterns, inherited ones included. */
  permissionsOf(roles: readonly string[]): GrantedPermissions
}

/** Patterns of permissions: what matches one of `allow` and none of `deny` is allowed. */
export interface GrantedPermissions {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

/** viewer < analyst < operator < admin. */
export const DEFAULT_ROLES = {
  viewer: { allow: ['timeseries:read', 'health:read', 'analytics:cache:read'] },
  analyst: { inherits: ['viewer'], allow: ['analytics:query'] },
  operator: { inherits: ['analyst'], allow: ['timeseries:write', 'ingest:write', 'analytics:cache:invalidate', 'metrics:read', 'dead-letters:read', 'dead-letters:replay'] },
  admin: { allow: ['*'] },
} as const satisfies RoleDefinitions

type Verdict = 'allowed' | 'denied' | 'not said'

/** Verdicts that one role remembers. A program asks for a few permissions; names that somebody makes up must not fill the memory. */
const MAX_REMEMBERED = 1000

interface Rules {
  readonly patterns: GrantedPermissions
  /** What was found for the permissions asked for so far: rules never change. */
  readonly verdicts: Map<string, Verdict>
  readonly allow: readonly ((permission: string) => boolean)[]
  readonly deny: readonly ((permission: string) => boolean)[]
}

/**
 * Makes a policy from role definitions, the four default ones when none are given. Deny wins over allow, also across roles.
 *
 * @throws ValidationError `ERR_SECURITY_ROLES` for a cycle, an unknown role in `inherits`, a malformed permission
 */
export function createRolePolicy(definitions: RoleDefinitions = DEFAULT_ROLES): RolePolicy {
  const rules = new Map(Object.keys(definitions).map((role) => [role, compileRole(definitions, role)]))
  return {
    isAllowed(roles, permission) {
      let isAllowed = false
      for (const role of roles) {
        const held = rules.get(role)
        const verdict = held === undefined ? 'not said' : (held.verdicts.get(permission) ?? judge(held, permission))
        if (verdict === 'denied') return false
        if (verdict === 'allowed') isAllowed = true
      }
      return isAllowed
    },
    permissionsOf(roles) {
      const held = roles.flatMap((role) => rules.get(role)?.patterns ?? [])
      const each = (kind: keyof GrantedPermissions): string[] => [...new Set(held.flatMap((patterns) => patterns[kind]))].sort()
      return { allow: each('allow'), deny: each('deny') }
    },
  }
}

function judge({ allow, deny, verdicts }: Rules, permission: string): Verdict {
  const matches = (match: (permission: string) => boolean): boolean => match(permission)
  const isSaid = isPermission(permission) && (deny.some(matches) || allow.some(matches))
  const verdict = !isSaid ? 'not said' : deny.some(matches) ? 'denied' : 'allowed'
  if (verdicts.size >= MAX_REMEMBERED) verdicts.clear()
  verdicts.set(permission, verdict)
  return verdict
}

function compileRole(definitions: RoleDefinitions, role: string): Rules {
  const lineage = [...lineageOf(definitions, role, [])]
  const patternsOf = (kind: 'allow' | 'deny'): readonly ((permission: string) => boolean)[] =>
    lineage.flatMap((name) => (definitions[name]?.[kind] ?? []).map((pattern, index) => compile(pattern, [name, kind, index])))
  const textsOf = (kind: 'allow' | 'deny'): string[] => lineage.flatMap((name) => definitions[name]?.[kind] ?? [])
  return { patterns: { allow: textsOf('allow'), deny: textsOf('deny') }, verdicts: new Map(), allow: patternsOf('allow'), deny: patternsOf('deny') }
}

/** The role itself and all that it inherits from, each once. */
function lineageOf(definitions: RoleDefinitions, role: string, descendants: readonly string[]): ReadonlySet<string> {
  const path = [descendants.at(-1) ?? role, 'inherits']
  if (descendants.includes(role)) throw wrongRole(path, `roles inherit in a circle: ${[...descendants, role].join(' → ')}`)
  if (!Object.hasOwn(definitions, role)) throw wrongRole(path, `the role "${role}" is inherited but not defined`)
  const parents = definitions[role]?.inherits ?? []
  return new Set([role, ...parents.flatMap((parent) => [...lineageOf(definitions, parent, [...descendants, role])])])
}

function compile(pattern: unknown, path: readonly (string | number)[]): (permission: string) => boolean {
  if (isPermissionPattern(pattern)) return compilePattern(pattern)
  throw wrongRole(path, 'must be words joined by ":", such as "timeseries:read", "timeseries:*" or "*"')
}

function wrongRole(path: readonly (string | number)[], message: string): ValidationError<'ERR_SECURITY_ROLES'> {
  return new ValidationError(`"${path.join('.')}": ${message}`, { code: 'ERR_SECURITY_ROLES', issues: [{ path, message }] })
}
