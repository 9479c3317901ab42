import { createRolePolicy, createTokenVerifier, importJwkSet, type JwkSet } from '@smart-whale/core-security'
import { createBearerGuard, type Guard } from '@smart-whale/core-security/fastify'
import { ConfigurationError } from '@smart-whale/interfaces'
import { readGivenFile } from './read-given-file.ts'

/** Whose tokens an app takes. */
export interface TokenSource {
  /** File with the public keys, as a JWK set. */
  readonly AUTH_JWKS_FILE: string
  readonly AUTH_ISSUER: string
  readonly AUTH_AUDIENCE: string
}

/** The guard of an app's routes. @throws ConfigurationError when the key file can't be read, or is no JWK set */
export async function guardFromKeys({ AUTH_JWKS_FILE: file, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience }: TokenSource): Promise<Guard> {
  const keys = keysIn(await readGivenFile('AUTH_JWKS_FILE', file), file)
  return createBearerGuard({ verifier: createTokenVerifier({ issuer, audience, keys }), policy: createRolePolicy() })
}

function keysIn(text: string, path: string): ReturnType<typeof importJwkSet> {
  try {
    return importJwkSet(JSON.parse(text) as JwkSet)
  } catch (error) {
    // What a parser says may quote the file.
    const why = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message
    throw new ConfigurationError(`AUTH_JWKS_FILE: ${path} is no JWK set: ${why}`, { cause: error })
  }
}
