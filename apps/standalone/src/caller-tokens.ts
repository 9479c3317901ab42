import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigurationError, type TokenIssuer } from '@smart-whale/interfaces'
import { z } from 'zod'
import { writeToken } from './admin-token.ts'

const callersSchema = z.object({
  tokens: z.record(z.string().regex(/^[\w-]+$/), z.strictObject({ roles: z.array(z.string().min(1)).min(1), tenant: z.string().min(1).optional() })).default({}),
})

/**
 * Writes a token for each caller that the access file names under `tokens`, as `<name>.token` in the folder `tokens`: the keys are new at
 * each start, so nobody else can make one.
 *
 * @throws ConfigurationError when the file can't be read that way
 */
export async function writeCallerTokens(accessFile: string, dataDir: string, issuer: TokenIssuer): Promise<void> {
  const callers = callersSchema.safeParse(JSON.parse(await readFile(accessFile, 'utf8')))
  if (!callers.success) throw new ConfigurationError(`${accessFile}: ${callers.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`)
  for (const [subject, { roles, tenant }] of Object.entries(callers.data.tokens)) {
    const token = await issuer.issue({ subject, roles, ...(tenant === undefined ? {} : { tenant }) })
    await writeToken(join(dataDir, 'tokens', `${subject}.token`), token)
  }
}
