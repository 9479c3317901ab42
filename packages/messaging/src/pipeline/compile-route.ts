import { ConfigurationError } from '@smart-whale/interfaces'
import { RecordRefusal } from './event-refusal.ts'
import type { PipelineSink, RouteFunction } from './event-types.ts'
import type { FieldType } from './field-type.ts'
import type { RowRoute } from './pipeline-definition.ts'
import type { RouteRules } from './pipelines-file.ts'
import { compileCondition } from './steps/compile-condition.ts'

/** What a route is compiled with. */
export interface CompileRouteOptions {
  /** Columns of the rows. @default none, required */
  readonly types: ReadonlyMap<string, FieldType>
  /** Stores of the pipeline. @default none, required */
  readonly sinks: readonly PipelineSink[]
  /** Where it stands in the file, for messages. @default none, required */
  readonly where: string
}

/** Compiles rules or wraps a function. A row that no rule fits goes to every store of the pipeline. @throws ConfigurationError naming the rule that is wrong */
export function compileRoute(route: RouteRules | RouteFunction<never>, { types, sinks, where }: CompileRouteOptions): RowRoute {
  if (typeof route === 'function') return checkedRoute(route, sinks)
  const rules = route.map(({ when, sinks: named }, index) => {
    const fail = (message: string): never => {
      throw new ConfigurationError(`the pipelines file is wrong: ${where}[${index}]: ${message}`)
    }
    const stranger = named.find((sink) => !sinks.includes(sink))
    if (stranger !== undefined) fail(`sends rows to ${stranger}, which is not among the pipeline's sinks`)
    if (when === undefined && index < route.length - 1) fail('fits every row, so that the rules behind it never count; give it a condition, or put it last')
    return { test: when === undefined ? () => true : compileCondition(when, { types: new Map(types), hashKeys: {}, fail }), sinks: [...new Set(named)] }
  })
  return (row) => rules.find(({ test }) => test(row))?.sinks ?? sinks
}

function checkedRoute(route: RouteFunction<never>, sinks: readonly PipelineSink[]): RowRoute {
  return (row, context) => {
    let chosen: unknown
    try {
      chosen = route(row as never, context)
    } catch (error) {
      return new RecordRefusal('transform-failed', `the route threw ${error instanceof Error ? error.name : `a ${typeof error}`}`)
    }
    if (Array.isArray(chosen) && chosen.every((sink) => sinks.includes(sink as PipelineSink))) return chosen as readonly PipelineSink[]
    return new RecordRefusal('transform-failed', `the route must return an array of the pipeline's sinks: ${sinks.join(', ')}`)
  }
}
