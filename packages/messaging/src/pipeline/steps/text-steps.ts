import { createHmac } from 'node:crypto'
import { type FieldType, fieldTypeText } from '../field-type.ts'
import type { IngestRow } from '../event-types.ts'
import { FieldRefusal } from '../read-field.ts'
import { MAX_TEXT, type RowStep, type StepTools, textField, textOf, typeOf } from './row-step.ts'
import type { StepSettings } from './step-schema.ts'

const TEXT: FieldType = { kind: 'string', nullable: false, precision: 0, scale: 0 }

const CHANGES = { trim: (text: string) => text.trim(), lower: (text: string) => text.toLowerCase(), upper: (text: string) => text.toUpperCase() } as const

/** `trim`, `lower` and `upper`: in no language's special way. */
export function changeText(change: keyof typeof CHANGES, fields: readonly string[], tools: StepTools): RowStep {
  for (const field of fields) textField(tools, field)
  const changed = CHANGES[change]
  return (row) => {
    for (const field of fields) if (row[field] !== null) row[field] = changed(row[field] as string)
    return undefined
  }
}

/** `mask`: all but the last characters are covered. */
export function maskText({ field, keepLast = 0, with: cover = '*' }: StepSettings<'mask'>, tools: StepTools): RowStep {
  textField(tools, field)
  return (row) => {
    if (row[field] === null) return undefined
    // By code points: half of a pair of surrogates would be no text.
    const characters = [...(row[field] as string)]
    const covered = Math.max(0, characters.length - keepLast)
    row[field] = cover.repeat(covered) + characters.slice(covered).join('')
    return undefined
  }
}

/** `hash`: HMAC-SHA256 of the value's text, in hexadecimal. Keyed, since the few values that a field has could be tried out otherwise. */
export function hashField({ field, key: keyName, into = field }: StepSettings<'hash'>, tools: StepTools): RowStep {
  const { nullable } = typeOf(tools, field)
  const key = Object.hasOwn(tools.hashKeys, keyName) ? (tools.hashKeys[keyName] as string) : tools.fail(`needs the key "${keyName}", which the configuration does not have`)
  tools.types.set(into, { ...TEXT, nullable })
  return (row) => {
    row[into] = row[field] === null ? null : createHmac('sha256', key).update(textOf(row[field])).digest('hex')
    return undefined
  }
}

/** `split`: the last field gets all that is left; a field for which nothing is left is null. */
export function splitText({ field, by, into }: StepSettings<'split'>, tools: StepTools): RowStep {
  textField(tools, field)
  for (const name of into) tools.types.set(name, { ...TEXT, nullable: true })
  return (row) => {
    let rest = row[field] as string | null
    into.forEach((name, index) => {
      const end = rest === null || index === into.length - 1 ? -1 : rest.indexOf(by)
      row[name] = rest === null || end === -1 ? rest : rest.slice(0, end)
      rest = rest === null || end === -1 ? null : rest.slice(end + by.length)
    })
    return undefined
  }
}

/** `join`: nulls are left out; null when all are. */
export function joinFields({ fields, with: between, into }: StepSettings<'join'>, tools: StepTools): RowStep {
  const nullable = fields.every((field) => typeOf(tools, field).nullable)
  tools.types.set(into, { ...TEXT, nullable })
  return (row) => {
    const parts = fields.filter((field) => row[field] !== null).map((field) => textOf(row[field]))
    const length = parts.reduce((sum, part) => sum + part.length + between.length, 0)
    if (length > MAX_TEXT) return new FieldRefusal(`would make a text of more than ${MAX_TEXT} characters`)
    row[into] = parts.length === 0 ? null : parts.join(between)
    return undefined
  }
}

/** `lookup`: a value that the table doesn't have is refused, or becomes what `otherwise` says. */
export function lookUp({ field, table, into, otherwise }: StepSettings<'lookup'>, tools: StepTools): RowStep {
  const type = typeOf(tools, field)
  if (type.kind === 'json' || type.kind === 'float64') return tools.fail(`can't look up "${field}" of type ${fieldTypeText(type)}`)
  const values = new Map(Object.entries(table))
  tools.types.set(into, { ...TEXT, nullable: type.nullable || otherwise === null })
  return (row: IngestRow) => {
    if (row[field] === null) {
      row[into] = null
      return undefined
    }
    const found = values.get(textOf(row[field])) ?? otherwise
    if (found === undefined) return new FieldRefusal(`finds no entry for the value of "${field}"`)
    row[into] = found
    return undefined
  }
}
