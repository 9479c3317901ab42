import { ConfigurationError } from '@smart-whale/interfaces'
import { compileDefinition, type DefineOptions } from './compile-definition.ts'
import type { RouteFunction, TransformFunction, TypedEvent, TypedRow } from './event-types.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import type { DeclaredPipeline, DeclaredVersion, RouteRules } from './pipelines-file.ts'
import type { TransformStep } from './steps/step-schema.ts'

type Fields = Readonly<Record<string, string>>

/** One pipeline as a module may declare it: as in a file, and with functions where those say it better. */
export interface PipelineInput extends Omit<DeclaredPipeline, 'transform' | 'route' | 'versions'> {
  /** Steps, or a function. A function of a pipeline that isn't declared by {@link definePipeline} gets its event untyped. */
  readonly transform?: readonly TransformStep[] | TransformFunction<never, object> | undefined
  /** Rules, of which the first that fits counts, or a function. */
  readonly route?: RouteRules | RouteFunction<never> | undefined
  readonly versions?: Readonly<Record<string, VersionInput>> | undefined
}

/** One version of an event as a module may declare it. */
export interface VersionInput extends Omit<DeclaredVersion, 'transform'> {
  /** Steps, or a function, that make an event of the newest version. */
  readonly transform?: readonly TransformStep[] | TransformFunction<never, object> | undefined
}

/** A pipeline whose functions know the types of its fields. */
export interface TypedPipelineInput<F extends Fields, R extends Fields, C extends Fields> extends Omit<PipelineInput, 'fields' | 'rename' | 'columns' | 'transform' | 'route' | 'versions'> {
  readonly fields: F
  readonly rename?: R
  /** What the tables have when that is not what events carry. */
  readonly columns?: C
  readonly transform?: readonly TransformStep[] | TransformFunction<TypedEvent<F, R>, TypedRow<C>>
  readonly route?: RouteRules | RouteFunction<TypedEvent<C>>
}

/**
 * Declares one pipeline in a module, so that its functions get their event with the types of its fields. Checked by {@link definePipelines}.
 *
 * @example
 * export default [
 *   definePipeline({
 *     topic: 'rides',
 *     fields: { id: 'int64', time: 'timestamp', fare: 'decimal(8,2)' },
 *     time: 'time',
 *     transform: (ride) => (ride.fare === '0' ? null : ride),
 *   }),
 * ]
 */
export function definePipeline<const F extends Fields, const R extends Fields = Record<never, never>, const C extends Fields = RenamedFields<F, R>>(input: TypedPipelineInput<F, R, C>): PipelineInput {
  return input as unknown as PipelineInput
}

type RenamedFields<F extends Fields, R extends Fields> = { readonly [K in keyof F & string as K extends keyof R ? R[K] : K]: F[K] }

/**
 * Reads the declarations of a pipelines file.
 * @throws ConfigurationError naming the pipeline, and the field or step that is wrong
 */
export function definePipelines(input: unknown, options: DefineOptions = {}): readonly PipelineDefinition[] {
  if (!Array.isArray(input)) throw new ConfigurationError('a pipelines file must hold an array of pipelines, each with topic, fields and time')
  const definitions = input.map((entry, index) => compileDefinition(entry, index, options))
  refuseTwice(definitions, 'name', ({ name }) => [name])
  refuseTwice(definitions, 'topic', ({ topic }) => [topic])
  refuseTwice(definitions, 'table', ({ tables, sinks }) => sinks.map((sink) => `${sink}.${tables[sink]}`))
  return definitions
}

function refuseTwice(definitions: readonly PipelineDefinition[], what: string, namesOf: (definition: PipelineDefinition) => readonly string[]): void {
  const seen = new Set<string>()
  for (const name of definitions.flatMap(namesOf)) {
    if (seen.has(name)) throw new ConfigurationError(`two pipelines have the ${what} "${name}"; each needs its own`)
    seen.add(name)
  }
}
