import { ConfigurationError } from '@smart-whale/interfaces'
import { RecordRefusal } from '../event-refusal.ts'
import type { FieldType } from '../field-type.ts'
import type { RowTransform } from '../pipeline-definition.ts'
import { castFields, chooseRows, coalesceFields, copyFields, removeFields, renameFields, setConstant, setDefaults } from './field-steps.ts'
import { calculate } from './number-steps.ts'
import type { RowStep, StepTools } from './row-step.ts'
import type { StepName, StepSettings, stepSchema } from './step-schema.ts'
import { changeText, hashField, joinFields, lookUp, maskText, splitText } from './text-steps.ts'
import { truncateTime } from './time-steps.ts'
import type { z } from 'zod'

/** What steps are compiled with. */
export interface CompileStepsOptions {
  /** Fields before the first step. @default none, required */
  readonly types: ReadonlyMap<string, FieldType>
  /** Keys of `hash` steps. @default none, required */
  readonly hashKeys: Readonly<Record<string, string>>
  /** Where the steps stand in the file, for messages. @default none, required */
  readonly where: string
}

/** Compiled steps, and the fields behind the last one. */
export interface CompiledSteps {
  readonly transform: RowTransform
  readonly types: ReadonlyMap<string, FieldType>
}

type StepCompilers = { readonly [N in StepName]: (settings: StepSettings<N>, tools: StepTools) => RowStep }

const COMPILERS: StepCompilers = {
  rename: renameFields,
  copy: copyFields,
  remove: removeFields,
  constant: setConstant,
  default: setDefaults,
  cast: castFields,
  trim: (fields, tools) => changeText('trim', fields, tools),
  lower: (fields, tools) => changeText('lower', fields, tools),
  upper: (fields, tools) => changeText('upper', fields, tools),
  calculate,
  truncateTime,
  mask: maskText,
  hash: hashField,
  keep: (condition, tools) => chooseRows(condition, true, tools),
  drop: (condition, tools) => chooseRows(condition, false, tools),
  split: splitText,
  join: joinFields,
  coalesce: coalesceFields,
  lookup: lookUp,
}

/**
 * Compiles steps, one after the other, each over the fields that the one before leaves.
 * @throws ConfigurationError naming the step that is wrong
 */
export function compileSteps(steps: readonly z.output<typeof stepSchema>[], { types: before, hashKeys, where }: CompileStepsOptions): CompiledSteps {
  const types = new Map(before)
  const compiled = steps.map((step, index) => {
    const [name] = Object.keys(step) as [StepName]
    const fail = (message: string): never => {
      throw new ConfigurationError(`the pipelines file is wrong: ${where}[${index}].${name}: ${message}`)
    }
    const compile = COMPILERS[name] as (settings: unknown, tools: StepTools) => RowStep
    return { name: `step ${index + 1} (${name})`, run: compile(step[name], { types, hashKeys, fail }) }
  })
  return { transform: runSteps(compiled), types }
}

function runSteps(steps: readonly { readonly name: string; readonly run: RowStep }[]): RowTransform {
  return (row) => {
    for (const { name, run } of steps) {
      const outcome = run(row)
      if (outcome === undefined) continue
      return outcome === null ? null : new RecordRefusal('transform-failed', `${name} ${outcome.reason}`)
    }
    return row
  }
}
