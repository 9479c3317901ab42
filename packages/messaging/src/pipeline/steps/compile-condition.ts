import { type FieldType, fieldTypeText } from '../field-type.ts'
import type { IngestRow } from '../event-types.ts'
import { COMPARISONS, type Condition, type PlainValue } from './condition-schema.ts'
import { compareExact, exactDecimal } from './exact-decimal.ts'
import { constantOf, type StepTools, textOf, typeOf } from './row-step.ts'

/** Whether a row meets a condition. */
export type RowTest = (row: IngestRow) => boolean

const MAX_DEPTH = 16

/** Compiles a condition over the fields that are there. */
export function compileCondition(condition: Condition, tools: StepTools, depth = 0): RowTest {
  if (depth > MAX_DEPTH) return tools.fail(`is nested more than ${MAX_DEPTH} levels deep`)
  const { all, any, not, field } = condition
  const compiled = (inner: Condition): RowTest => compileCondition(inner, tools, depth + 1)
  if (all !== undefined) {
    const tests = all.map(compiled)
    return (row) => tests.every((test) => test(row))
  }
  if (any !== undefined) {
    const tests = any.map(compiled)
    return (row) => tests.some((test) => test(row))
  }
  if (not !== undefined) {
    const test = compiled(not)
    return (row) => !test(row)
  }
  return compileComparison(field as string, condition, tools)
}

function compileComparison(field: string, condition: Condition, tools: StepTools): RowTest {
  const type = typeOf(tools, field)
  const comparison = COMPARISONS.find((name) => condition[name] !== undefined) as (typeof COMPARISONS)[number]
  if (comparison === 'isNull') {
    const wanted = condition.isNull as boolean
    return (row) => (row[field] === null) === wanted
  }
  if (type.kind === 'json') return tools.fail(`compares "${field}", but a json field can only be asked isNull`)
  if (comparison === 'startsWith' || comparison === 'endsWith' || comparison === 'contains') return textTest(field, type, comparison, condition[comparison] as string, tools)
  // A comparison with null is never true: `not` beside it says what else is wanted.
  const test = comparison === 'oneOf' ? membershipTest(type, condition.oneOf as readonly PlainValue[], tools) : orderTest(type, comparison, condition[comparison] as PlainValue, tools)
  return (row) => row[field] !== null && test(row[field])
}

function textTest(field: string, type: FieldType, comparison: 'startsWith' | 'endsWith' | 'contains', text: string, tools: StepTools): RowTest {
  if (type.kind !== 'string') return tools.fail(`asks "${field}" for a part of its text, but it is of type ${fieldTypeText(type)}`)
  const method = comparison === 'contains' ? 'includes' : comparison
  return (row) => typeof row[field] === 'string' && row[field][method](text)
}

function membershipTest(type: FieldType, values: readonly PlainValue[], tools: StepTools): (value: unknown) => boolean {
  const known = new Set(values.map((value) => textOf(constantOf(tools, type, value))))
  return (value) => known.has(textOf(value))
}

function orderTest(type: FieldType, comparison: 'equals' | 'notEquals' | 'less' | 'atMost' | 'greater' | 'atLeast', value: PlainValue, tools: StepTools): (value: unknown) => boolean {
  const compare = comparatorOf(type, constantOf(tools, type, value))
  if (comparison === 'equals') return (found) => compare(found) === 0
  if (comparison === 'notEquals') return (found) => compare(found) !== 0
  if (type.kind === 'boolean') return tools.fail(`asks for the order of a boolean; use equals or notEquals`)
  if (comparison === 'less') return (found) => compare(found) < 0
  if (comparison === 'atMost') return (found) => compare(found) <= 0
  if (comparison === 'greater') return (found) => compare(found) > 0
  return (found) => compare(found) >= 0
}

/** How a value stands to the constant. Texts are ordered by their UTF-16 units: the same everywhere, in no language's order. */
function comparatorOf(type: FieldType, constant: unknown): (value: unknown) => number {
  if (type.kind === 'decimal') {
    const right = exactDecimal(constant as string)
    return (value) => {
      const left = exactDecimal(value as string)
      return left === null || right === null ? Number.NaN : compareExact(left, right)
    }
  }
  if (type.kind === 'timestamp') {
    const right = (constant as Date).getTime()
    return (value) => (value as Date).getTime() - right
  }
  const right = constant as string
  return (value) => ((value as string) < right ? -1 : (value as string) > right ? 1 : value === right ? 0 : Number.NaN)
}
