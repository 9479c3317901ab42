import type { FastifyRequest } from 'fastify'
import { messagingValidationError } from '../errors.ts'

interface KnownNames {
  readonly properties: Readonly<Record<string, unknown>>
}

/**
 * A hook for before the validation: Fastify takes unknown names away before a schema could refuse them, and a misspelt one would be as if it had
 * not been there.
 * @throws ValidationError `ERR_MESSAGING_INVALID_ARGUMENT` naming the first name of body or query that the route's schema doesn't know
 */
export async function refuseUnknownNames({ body, query, routeOptions }: FastifyRequest): Promise<void> {
  const schema = routeOptions.schema as { body?: KnownNames; querystring?: KnownNames } | undefined
  for (const [part, given, known] of [['body', body, schema?.body], ['query', query, schema?.querystring]] as const) {
    if (typeof given !== 'object' || given === null || known === undefined) continue
    const unknown = Object.keys(given).find((name) => !Object.hasOwn(known.properties, name))
    if (unknown === undefined) continue
    const names = Object.keys(known.properties)
    const message = names.length === 0 ? 'is not known here; there are none' : `is not known here; there are ${names.join(', ')}`
    throw messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${part}.${unknown.slice(0, 100)} ${message}`, [{ path: [part, unknown.slice(0, 100)], message }])
  }
}
