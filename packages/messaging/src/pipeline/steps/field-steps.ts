import { type FieldType, fieldTypeText, parseFieldType } from '../field-type.ts'
import { FieldRefusal } from '../read-field.ts'
import { castValue } from './cast-value.ts'
import { compileCondition } from './compile-condition.ts'
import type { Condition, PlainValue } from './condition-schema.ts'
import { constantOf, type RowStep, type StepTools, typeOf } from './row-step.ts'
import type { StepSettings } from './step-schema.ts'

/** `rename`: all at once, so that two names can be exchanged. */
export function renameFields(names: Readonly<Record<string, string>>, tools: StepTools): RowStep {
  const pairs = Object.entries(names)
  const types = pairs.map(([from, to]) => [to, typeOf(tools, from)] as const)
  for (const [from] of pairs) tools.types.delete(from)
  for (const [to, type] of types) {
    if (tools.types.has(to)) return tools.fail(`gives the name "${to}", which another field has`)
    tools.types.set(to, type)
  }
  return (row) => {
    const values = pairs.map(([from]) => row[from])
    for (const [from] of pairs) delete row[from]
    pairs.forEach(([, to], index) => {
      row[to] = values[index]
    })
    return undefined
  }
}

/** `copy`: from the first name to the second. */
export function copyFields(names: Readonly<Record<string, string>>, tools: StepTools): RowStep {
  const pairs = Object.entries(names)
  for (const [from, to] of pairs) tools.types.set(to, typeOf(tools, from))
  return (row) => {
    for (const [from, to] of pairs) row[to] = row[from]
    return undefined
  }
}

/** `remove`: also what isn't named in the columns is left out; this makes room for a name. */
export function removeFields(fields: readonly string[], tools: StepTools): RowStep {
  for (const field of fields) {
    typeOf(tools, field)
    tools.types.delete(field)
  }
  return (row) => {
    for (const field of fields) delete row[field]
    return undefined
  }
}

/** `constant`: the same value in every row. */
export function setConstant({ into, value, type: typeText }: StepSettings<'constant'>, tools: StepTools): RowStep {
  const type = parseFieldType(typeText)
  const constant = constantOf(tools, type, value)
  tools.types.set(into, type)
  return (row) => {
    row[into] = constant
    return undefined
  }
}

/** `default`: in place of null. */
export function setDefaults(defaults: Readonly<Record<string, PlainValue>>, tools: StepTools): RowStep {
  const values = Object.entries(defaults).map(([field, value]) => {
    const type = typeOf(tools, field)
    tools.types.set(field, { ...type, nullable: false })
    return [field, constantOf(tools, type, value)] as const
  })
  return (row) => {
    for (const [field, value] of values) row[field] ??= value
    return undefined
  }
}

/** `cast`: to another type; null stays null. */
export function castFields(casts: Readonly<Record<string, string>>, tools: StepTools): RowStep {
  const readers = Object.entries(casts).map(([field, typeText]) => {
    const from = typeOf(tools, field)
    const to = parseFieldType(typeText)
    if (from.nullable && !to.nullable) return tools.fail(`casts "${field}", which may be null: write "${typeText}?", or give it a default before`)
    const read = castValue(from, to) ?? tools.fail(`can't make ${fieldTypeText(to)} of "${field}", which is of type ${fieldTypeText(from)}`)
    tools.types.set(field, to)
    return { field, read }
  })
  return (row) => {
    for (const { field, read } of readers) {
      if (row[field] === null) continue
      const value = read(row[field])
      if (value instanceof FieldRefusal) return new FieldRefusal(`casts "${field}", which ${value.reason}`)
      row[field] = value
    }
    return undefined
  }
}

/** `keep` and `drop`: rows that are left out are counted, and go nowhere. */
export function chooseRows(condition: Condition, kept: boolean, tools: StepTools): RowStep {
  const test = compileCondition(condition, tools)
  return (row) => (test(row) === kept ? undefined : null)
}

/** `coalesce`: the first of the fields that is not null. */
export function coalesceFields({ fields, into }: StepSettings<'coalesce'>, tools: StepTools): RowStep {
  const types = fields.map((field) => typeOf(tools, field))
  const first = types[0] as FieldType
  const other = types.find(({ kind, precision, scale }) => kind !== first.kind || precision !== first.precision || scale !== first.scale)
  if (other !== undefined) return tools.fail(`takes fields of one type, but there are ${fieldTypeText(first)} and ${fieldTypeText(other)}; cast them first`)
  tools.types.set(into, { ...first, nullable: types.every(({ nullable }) => nullable) })
  return (row) => {
    row[into] = row[fields.find((field) => row[field] !== null) ?? (fields[0] as string)]
    return undefined
  }
}
