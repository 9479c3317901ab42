import type { z } from 'zod'
import { ConfigurationError } from '@smart-whale/interfaces'

/** Variable name to text, as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads what an app is told by its environment.
 * @throws ConfigurationError naming each variable that is missing or wrong, never its value
 */
export function readEnvironment<T>(schema: z.ZodType<T>, environment: Environment): T {
  // A variable that is set to nothing is as good as one that isn't set.
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const result = schema.safeParse(set)
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => {
    const name = String(issue.path[0])
    return set[name] === undefined ? `${name} is missing` : `${name} is wrong: ${issue.message}`
  })
  throw new ConfigurationError(`the environment is not complete: ${issues.join('; ')}; --help explains each`)
}
