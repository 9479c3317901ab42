import { type CachingInterface, type Clock, type Logger, silentLogger, systemClock, type TokenClaims, type TokenIssuer, type TokenVerifier } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { makeDefaultCache } from '../analytics/open-cache.ts'
import type { ClickHouseOptions } from '../clickhouse-config.ts'
import { createAdapter } from '../create-adapter.ts'
import type { EmbeddedUserOptions } from '../embedded/start-options.ts'
import type { DefinedMetrics } from '../metrics/definition/define-metrics.ts'
import type { RollupTable } from '../metrics/rewrite/choose-route.ts'
import { SecurityError } from '../operational-errors.ts'
import { levelsFromFile, tokenSettings } from './access-config.ts'
import { type AccessStatementOptions, accessStatements } from './access-statements.ts'
import { type CheckedLevel, checkLevels, wholeNumber } from './check-levels.ts'
import { NICENESS, yields } from './level-settings.ts'
import { mayReadRollup, withRollups } from './rollup-access.ts'
import { loadSecurity } from './security-peer.ts'
import { TrustedAnalytics, type TrustedAnalyticsOptions } from './trusted-analytics.ts'
import type { TrustedReader, TrustLevel } from './trust-level.ts'
import { embeddedUsers } from './users-file.ts'

/** What {@link createAccessControl} is made from. */
export interface AccessControlOptions {
  /** Who may do what, by the level's name. Order counts: of several levels that fit a caller, the first one is taken. @default the file that `CLICKHOUSE_ACCESS_FILE` names */
  levels?: Readonly<Record<string, TrustLevel>> | undefined
  /** Database of tables that are named without one. @default 'default' */
  database?: string | undefined
  /** Metrics whose rollups a level may read as far as it may read their source: all rows of one that is shared, a tenant's own of one that keeps the tenant as a dimension. @default [] */
  metrics?: readonly DefinedMetrics[] | undefined
  /** Makes and checks the access tokens. @default `@smart-whale/core-security`, with the key in the file that `AUTH_KEY_FILE` names */
  tokens?: TokenPorts | undefined
  /** How long after signing in a token may still be renewed, in seconds: the last one outlives that by its own life. Holds for tokens that say when that was. @default 86_400 */
  maxSessionSeconds?: number | undefined
  /** What each role may do. @default the roles of `@smart-whale/core-security` */
  permissionsOf?: ((roles: readonly string[]) => TokenPermissions) | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of what tenants are not told. @default silentLogger */
  logger?: Logger | undefined
}

/** Both sides of access tokens. */
export interface TokenPorts {
  readonly issuer: TokenIssuer
  readonly verifier: TokenVerifier
}

/** Patterns such as `analytics:*`: what one of `allow` matches and none of `deny` may be done. */
export interface TokenPermissions {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

/** More that a token says. */
export interface TokenExtras {
  /** Whose rows its holder reads. @default none */
  tenant?: string | undefined
  /** Further roles. @default none */
  roles?: readonly string[] | undefined
  /** Life of the token, in seconds. @default the issuer's */
  ttlSeconds?: number | undefined
}

/** What the service over the levels is made from. */
export interface TrustedServiceOptions extends Omit<TrustedAnalyticsOptions, 'adapters' | 'cache'> {
  /** Where the servers are; each level logs in as its own user. @default `CLICKHOUSE_*` variables */
  connection?: Omit<ClickHouseOptions, 'user' | 'password'> | undefined
  /** Where answers are kept, apart for each level and tenant; `false` keeps none. @default an in-process cache of `@smart-whale/core-cache` */
  cache?: CachingInterface | false | undefined
}

/** Decides as whom each request runs, and what that one may do. */
export interface AccessControl {
  /** Makes a token for somebody. @throws ValidationError when a claim is no text */
  generateToken(username: string, role: string, extras?: TokenExtras): Promise<string>
  /** What a token says. @throws an error with status 401 for anything but a valid one */
  verifyToken(token: string): Promise<TokenClaims>
  /** What the token's roles may do. */
  getPermissions(token: string): Promise<TokenPermissions>
  /**
   * A new token that says the same. The old one must not have expired.
   * @throws SecurityError `ERR_CLICKHOUSE_SECURITY` with status 401 past `maxSessionSeconds`
   */
  refreshToken(token: string): Promise<string>
  /** As whom a caller's requests run. @throws SecurityError `ERR_CLICKHOUSE_SECURITY` with status 403 when no level is for it, or it belongs to no tenant */
  readerOf(claims: Pick<TokenClaims, 'roles' | 'tenant'>): TrustedReader
  /** Whether a question at a level may read a rollup: for the `mayReadRollups` of a metrics layer. */
  mayReadRollups(this: void, asked: Readonly<{ level?: string | undefined; tenant?: string | undefined }>, rollup: RollupTable): boolean
  /** The levels' users as `startClickHouse` takes them. */
  embeddedUsers(): (EmbeddedUserOptions & { username: string })[]
  /** The statements that make users, profiles, row policies and rights on a server whose users are kept by SQL. */
  statements(options?: AccessStatementOptions): string[]
  /** Runs {@link statements}, one after the other; may be done again at any time. Needs a user who may manage access. */
  apply(owner: ClickHouseAdapter, options?: AccessStatementOptions): Promise<void>
  /** Makes the service that runs each query as its level's user, and checks that each of them can log in and only read. */
  openAnalytics(options?: TrustedServiceOptions): Promise<TrustedAnalytics>
}

/**
 * Makes an {@link AccessControl}.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the level and what is wrong with it
 * @example
 * const access = createAccessControl({
 *   database: 'app',
 *   levels: { tenants: { user: 'tenants', password, roles: ['analyst'], tables: { flights: { tenantColumn: 'tenant' } } } },
 * })
 */
export function createAccessControl(options: AccessControlOptions = {}): AccessControl {
  const { clock = systemClock } = options
  const maxSessionSeconds = wholeNumber('maxSessionSeconds', options.maxSessionSeconds ?? 86_400, 1)
  const home = options.database ?? 'default'
  const levels = checkLevels(withRollups(options.levels ?? levelsFromFile(), options.metrics ?? [], home), home)
  let tokens: Promise<TokenPorts> | undefined
  const ports = (): Promise<TokenPorts> => (tokens ??= options.tokens === undefined ? defaultTokens() : Promise.resolve(options.tokens))
  const verifyToken = async (token: string): Promise<TokenClaims> => (await ports()).verifier.verify(token)

  return {
    async generateToken(username, role, { tenant, roles = [], ttlSeconds } = {}) {
      const claims = { subject: username, roles: [role, ...roles], ...(tenant === undefined ? {} : { tenant }) }
      return (await ports()).issuer.issue(claims, ttlSeconds === undefined ? {} : { ttlSeconds })
    },
    verifyToken,
    async getPermissions(token) {
      const { roles } = await verifyToken(token)
      return options.permissionsOf === undefined ? (await loadSecurity('roles')).createRolePolicy().permissionsOf(roles) : options.permissionsOf(roles)
    },
    async refreshToken(token) {
      const { subject, roles, tenant, signedInAt } = await verifyToken(token)
      if (signedInAt !== undefined && clock.now() >= signedInAt + maxSessionSeconds * 1000) {
        throw new SecurityError(`the caller signed in more than ${maxSessionSeconds} s ago; it has to sign in again`, { status: 401 })
      }
      return (await ports()).issuer.issue({ subject, roles, ...(tenant === undefined ? {} : { tenant }), ...(signedInAt === undefined ? {} : { signedInAt }) })
    },
    readerOf: (claims) => readerOf(levels, claims),
    mayReadRollups: (asked, rollup) => mayReadRollup(levels, home, asked, rollup),
    embeddedUsers: () => embeddedUsers(levels),
    statements: (how) => accessStatements(levels, how),
    async apply(owner, how) {
      for (const statement of accessStatements(levels, how)) await owner.execute(statement)
    },
    openAnalytics: (how = {}) => openAnalytics(levels, options, how),
  }
}

function readerOf(levels: readonly CheckedLevel[], { roles, tenant }: Pick<TokenClaims, 'roles' | 'tenant'>): TrustedReader {
  const level = levels.find((candidate) => candidate.roles.some((role) => roles.includes(role)))
  if (level === undefined) throw new SecurityError("none of the caller's roles has a trust level for queries", { status: 403 })
  // Fails closed on both sides: no tenant reads everybody's rows, and whose token is bound to a tenant never gets more than that.
  if (level.byTenant && tenant === undefined) throw new SecurityError('the caller belongs to no tenant; its token needs a tenant', { status: 403 })
  if (!level.byTenant && tenant !== undefined && !level.admitsTenants) {
    throw new SecurityError("the caller's token is bound to a tenant, and its trust level reads the rows of all; admitsTenants allows that", { status: 403 })
  }
  return { level: level.name, tenant: level.byTenant ? tenant : undefined }
}

async function defaultTokens(): Promise<TokenPorts> {
  const { keyFile, issuer, audience } = tokenSettings()
  const { createTokenIssuer, createTokenVerifier, loadOrCreateSigningKeys } = await loadSecurity('access tokens')
  const keys = await loadOrCreateSigningKeys({ path: keyFile })
  return { issuer: createTokenIssuer({ issuer, audience, keys }), verifier: createTokenVerifier({ issuer, audience, keys }) }
}

async function openAnalytics(levels: readonly CheckedLevel[], { clock = systemClock, logger = silentLogger, database }: AccessControlOptions, options: TrustedServiceOptions): Promise<TrustedAnalytics> {
  const { connection, cache, ...more } = options
  const adapters = new Map(levels.map(({ name, user, password }) => [name, createAdapter({ ...(database === undefined ? {} : { database }), ...connection, user, password }, { logger, clock })]))
  const own = cache === undefined ? await makeDefaultCache(clock) : undefined
  const close = async (): Promise<void> => {
    await Promise.all([...adapters.values()].map((adapter) => adapter.close()))
    await own?.disconnect()
  }
  try {
    await Promise.all([...adapters].map(([name, adapter]) => refuseWriter(name, adapter)))
    const served = await Promise.all(levels.map((level) => rankedAsPossible(level, adapters.get(level.name) as ClickHouseAdapter, logger)))
    const service = new TrustedAnalytics(served, { clock, logger, ...more, adapters, cache: own ?? (cache || null) })
    const closeService = service.close.bind(service)
    return Object.assign(service, {
      close: async () => {
        await closeService()
        await close()
      },
    })
  } catch (error) {
    await close()
    throw error
  }
}

/** The level's user must be one that can change nothing, whatever its profile was meant to be. */
async function refuseWriter(level: string, adapter: ClickHouseAdapter): Promise<void> {
  const { rows } = await adapter.execute<{ readonly: string }>("SELECT toString(getSetting('readonly')) AS readonly")
  if (rows[0]?.readonly !== '1') throw new SecurityError(`the user of the level "${level}" may do more than read; give it a profile with readonly = 1: statements() has it`)
}

/** The level as the server lets it be: without ranks of queries where its user may not bring the setting. */
async function rankedAsPossible(level: CheckedLevel, adapter: ClickHouseAdapter, logger: Logger): Promise<CheckedLevel> {
  const { limits } = level
  if (!yields(limits)) return level
  try {
    await adapter.execute('SELECT 1', {}, { settings: { [NICENESS]: limits.nicenessOverShare } })
    return level
  } catch (error) {
    logger.info({ err: error, level: level.name }, 'queries of tenants over their share can not be ranked behind others; statements({ rankThreads: true }) lets them be')
    return { ...level, limits: { ...limits, nicenessOverShare: limits.niceness } }
  }
}
