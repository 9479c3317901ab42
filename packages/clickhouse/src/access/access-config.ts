import { readFileSync } from 'node:fs'
import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import type { TrustLevel } from './trust-level.ts'

/** Variables by name. */
export type AccessEnvironment = Readonly<Record<string, string | undefined>>

/** Where the key of tokens lies, and what they say. */
export interface TokenNames {
  readonly keyFile: string
  readonly issuer: string
  readonly audience: string
}

/** The token settings of `AUTH_KEY_FILE`, `AUTH_ISSUER` and `AUTH_AUDIENCE`. @throws ConfigurationError that names the variable that is missing */
export function tokenSettings(environment: AccessEnvironment = process.env): TokenNames {
  return {
    keyFile: required(environment, 'AUTH_KEY_FILE', 'the file that holds the signing key (made when missing)'),
    issuer: required(environment, 'AUTH_ISSUER', 'the name that tokens are issued under'),
    audience: environment['AUTH_AUDIENCE'] ?? 'smart-whale',
  }
}

/**
 * The levels in the JSON file that `CLICKHOUSE_ACCESS_FILE` names. A level without a password gets it from
 * `CLICKHOUSE_ACCESS_PASSWORD_<LEVEL>`, so that the file holds no secret.
 *
 * @throws ConfigurationError that names the variable or the file
 */
export function levelsFromFile(environment: AccessEnvironment = process.env): Readonly<Record<string, TrustLevel>> {
  const path = required(environment, 'CLICKHOUSE_ACCESS_FILE', 'the JSON file with the trust levels')
  return readLevels(path, (name) => required(environment, `CLICKHOUSE_ACCESS_PASSWORD_${name.toUpperCase()}`, `the password of the level "${name}"`))
}

/**
 * The levels in a JSON file, `{ "levels": { "<name>": { … } } }`.
 *
 * @param passwordOf gives the password of a level that has none in the file
 * @throws ConfigurationError that names the file
 */
export function readLevels(path: string, passwordOf: (level: string) => string): Readonly<Record<string, TrustLevel>> {
  const entries = Object.entries(parsed(path)).map(([name, level]) => [name, { ...level, password: level.password ?? passwordOf(name) }] as const)
  return Object.fromEntries(entries)
}

/** Where what keeps callers apart lies. No secrets: files and names. */
export interface SecurityConfig {
  /** JSON file with the trust levels, for `createAccessControl`: `CLICKHOUSE_ACCESS_FILE`. */
  readonly accessFile: string | null
  /** File with the key that signs tokens: `AUTH_KEY_FILE`. */
  readonly keyFile: string | null
  /** Name that tokens are issued under: `AUTH_ISSUER`. */
  readonly issuer: string | null
  /** Whom tokens are for: `AUTH_AUDIENCE`. */
  readonly audience: string
  /** Folder of the encryption manager's keys: `ENCRYPTION_KEY_FOLDER`. */
  readonly encryptionKeyFolder: string | null
  /** File of the audit log: `AUDIT_LOG_FILE`. */
  readonly auditLogFile: string | null
}

/** All of it, null where it isn't set; the factories refuse to go without what they need. */
export function securityConfig(environment: AccessEnvironment = process.env): SecurityConfig {
  const named = (name: string): string | null => environment[name] || null
  return {
    accessFile: named('CLICKHOUSE_ACCESS_FILE'),
    keyFile: named('AUTH_KEY_FILE'),
    issuer: named('AUTH_ISSUER'),
    audience: environment['AUTH_AUDIENCE'] ?? 'smart-whale',
    encryptionKeyFolder: named('ENCRYPTION_KEY_FOLDER'),
    auditLogFile: named('AUDIT_LOG_FILE'),
  }
}

/** Folder of the keys under which the encryption manager of the environment works. @throws ConfigurationError when it is missing */
export function encryptionKeyFolder(environment: AccessEnvironment = process.env): string {
  return required(environment, 'ENCRYPTION_KEY_FOLDER', 'the folder that holds the encryption keys (made when missing)')
}

/** Where the audit log of the environment lies. @throws ConfigurationError when it is missing */
export function auditLogPath(environment: AccessEnvironment = process.env): string {
  return required(environment, 'AUDIT_LOG_FILE', 'the file that the audit log is written to')
}

function parsed(path: string): Record<string, TrustLevel> {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { levels: Record<string, TrustLevel> }).levels ?? {}
  } catch (cause) {
    // What a parser says may quote the file.
    const why = cause instanceof SyntaxError ? 'it is not JSON' : `it is not there or not readable (${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'})`
    throw configurationError(`the file of the trust levels, ${path}, can't be used: ${why}`)
  }
}

function required(environment: AccessEnvironment, name: string, what: string): string {
  const value = environment[name]
  if (value !== undefined && value !== '') return value
  throw configurationError(`${name} is not set; it names ${what}`)
}

const configurationError = (message: string): ConfigurationError<ClickHouseErrorCode> => new ConfigurationError<ClickHouseErrorCode>(message, { code: 'ERR_CLICKHOUSE_CONFIGURATION' })
