import { readFile } from 'node:fs/promises'
import { createRolePolicy, createTokenVerifier, importJwkSet, type JwkSet } from '@smart-whale/core-security'
import { createBearerGuard, type Guard } from '@smart-whale/core-security/fastify'
import { ConfigurationError } from '@smart-whale/interfaces'

/** Whose tokens an app takes. */
export interface TokenSource {
  /** File with the public keys, as a JWK set. */
  readonly AUTH_JWKS_FILE: string
  readonly AUTH_ISSUER: string
  readonly AUTH_AUDIENCE: string
}

/** The guard of an app's routes. @throws ConfigurationError when the key file can't be read */
export async function guardFromKeys({ AUTH_JWKS_FILE: file, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience }: TokenSource): Promise<Guard> {
  const keys = importJwkSet(await readJwkSet(file))
  return createBearerGuard({ verifier: createTokenVerifier({ issuer, audience, keys }), policy: createRolePolicy() })
}

async function readJwkSet(path: string): Promise<JwkSet> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as JwkSet
  } catch (error) {
    throw new ConfigurationError(`AUTH_JWKS_FILE: ${path} can't be read as a JWK set`, { cause: error })
  }
}
