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
    return set[name] === undefined ? `${name} is missing` : `${name} ${wordsOf(issue)}`
  })
  throw new ConfigurationError(`the environment is wrong: ${issues.join('; ')}; --help explains each`)
}

/** What is wrong with a variable, without the checker's own vocabulary. */
function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && (issue.expected === 'number' || issue.expected === 'int')) return 'must be a whole number'
  if (issue.code === 'invalid_value') return `must be ${issue.values.map(String).join(' or ')}`
  if (issue.code === 'too_small') return `must be ${issue.minimum} at least`
  if (issue.code === 'too_big') return `must be ${issue.maximum} at most`
  if (issue.code === 'invalid_format' && issue.format === 'url') return 'must be an address, like http://host:port'
  return `is wrong: ${issue.message}`
}
