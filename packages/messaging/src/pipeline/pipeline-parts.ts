import { ConfigurationError } from '@smart-whale/interfaces'
import type { SomeTransform } from './compile-transform.ts'
import type { RouteFunction, TransformFunction } from './event-types.ts'
import { type DeclaredPipeline, pipelineSchema, type RouteRules } from './pipelines-file.ts'

/** A pipeline of the right form, with the functions that a module may have in place of steps and rules. */
export interface PipelineParts {
  readonly given: DeclaredPipeline
  readonly transform: SomeTransform | undefined
  readonly route: RouteRules | RouteFunction<never> | undefined
  /** By version; those of a pipeline without versions are empty. */
  readonly upgrades: ReadonlyMap<string, TransformFunction<never, object>>
}

/**
 * Parts the functions, which no schema knows, from the rest, which is checked.
 * @throws ConfigurationError naming each part that has not the right form
 */
export function partsOf(entry: unknown, where: string): PipelineParts {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw new ConfigurationError(`the pipelines file is wrong: ${where}: must be an object with topic, fields and time`)
  const rest: Record<string, unknown> = { ...entry }
  const functions: { transform?: TransformFunction<never, object>; route?: RouteFunction<never> } = {}
  for (const part of ['transform', 'route'] as const) {
    if (typeof rest[part] !== 'function') continue
    functions[part] = rest[part] as never
    delete rest[part]
  }
  const upgrades = new Map<string, TransformFunction<never, object>>()
  if (typeof rest.versions === 'object' && rest.versions !== null) rest.versions = withoutFunctions(rest.versions as Record<string, unknown>, upgrades)
  const result = pipelineSchema.safeParse(rest)
  if (!result.success) {
    const issues = result.error.issues.map((issue) => `${where}${issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')}: ${issue.message}`)
    throw new ConfigurationError(`the pipelines file is wrong: ${issues.join('; ')}`)
  }
  const given = result.data
  return { given, transform: functions.transform ?? given.transform, route: functions.route ?? given.route, upgrades }
}

function withoutFunctions(versions: Record<string, unknown>, upgrades: Map<string, TransformFunction<never, object>>): Record<string, unknown> {
  const entries = Object.entries(versions).map(([name, version]): [string, unknown] => {
    const { transform, ...rest } = (version ?? {}) as { transform?: unknown }
    if (typeof transform !== 'function') return [name, version]
    upgrades.set(name, transform as TransformFunction<never, object>)
    return [name, rest]
  })
  return Object.fromEntries(entries)
}
