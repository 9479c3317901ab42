import type { ValidationError, ValidationIssue } from '@smart-whale/interfaces'
import type { z } from 'zod'
import { kindOf, messagingValidationError } from '../errors.ts'
import { compiledCheckOf } from './compiled-check.ts'
import { snakeCase } from './wire-names.ts'
import { type WirePlan, wirePlanOf } from './wire-plan.ts'

/** Where fields that this version doesn't know are kept, at the level at which they came. */
export const UNKNOWN_FIELDS = 'unknownFields'

/** A message with what came along in fields that this version doesn't know. */
export interface WithUnknownFields {
  /** By their names on the wire; they are sent on as they are. */
  readonly unknownFields?: Readonly<Record<string, unknown>> | undefined
}

type Dictionary = Record<string, unknown>
type Path = readonly (string | number)[]

/** Unknown fields of one level: where it is, by the names of the code. */
interface UnknownFields {
  readonly path: Path
  readonly fields: Dictionary
}

/** A message apart from what its schema doesn't know. */
interface Separated {
  readonly known: unknown
  readonly unknown: readonly UnknownFields[]
}

/** Turns a message's fields as they go over the wire into the message, checked; fields that it doesn't know are kept. */
export function fromWire<Schema extends z.ZodType>(name: string, schema: Schema, wire: unknown): z.output<Schema> {
  const { known, unknown } = separate((into) => readNames(wirePlanOf(schema), wire, [], into), name)
  return withUnknown(checked(name, schema, known, namesOnTheWire), unknown)
}

/** Checks a message with its names of the code, and puts its defaults in place. What it is made from stays as it was. */
export function checkMessage<Schema extends z.ZodType>(name: string, schema: Schema, message: unknown): z.output<Schema> {
  const { known, unknown } = separate((into) => detach(wirePlanOf(schema), message, [], into), name)
  return withUnknown(checked(name, schema, known), unknown)
}

/** Turns a message into its fields as they go over the wire, checked. */
export function toWire(name: string, schema: z.ZodType, message: unknown): Dictionary {
  const plan = wirePlanOf(schema)
  const { known, unknown } = separate((into) => detach(plan, message, [], into), name)
  const wire = writeNames(plan, checked(name, schema, known)) as Dictionary
  for (const { path, fields } of unknown) {
    const level = at(wire, namesOnTheWire(path))
    if (isDictionary(level)) addMissing(level, fields)
  }
  return wire
}

/** What the message itself says wins over what was kept of an unknown field of that name. */
function addMissing(level: Dictionary, fields: Dictionary): void {
  for (const [extra, value] of Object.entries(fields)) if (!Object.hasOwn(level, extra)) define(level, extra, value)
}

/** Parses a text that has one JSON object. */
export function parseJson(name: string, json: unknown): unknown {
  if (typeof json !== 'string') throw invalidText(name, `must be a JSON text, got ${kindOf(json)}`)
  try {
    return JSON.parse(json) as unknown
  } catch {
    throw invalidText(name, 'is not JSON')
  }
}

/** The compiled check says yes to what is surely right, in a fraction of the time; whatever else there is to say, zod says. */
function checked<Schema extends z.ZodType>(name: string, schema: Schema, known: unknown, nameOf: (path: Path) => Path = (path) => path): z.output<Schema> {
  try {
    if (compiledCheckOf(schema)(known)) return withDefaults(wirePlanOf(schema), known) as z.output<Schema>
    const result = schema.safeParse(known)
    if (!result.success) throw invalid(name, result.error.issues, nameOf)
    return result.data
  } catch (error) {
    throw error instanceof RangeError ? tooDeep(name) : error
  }
}

function separate(read: (into: UnknownFields[]) => unknown, name: string): Separated {
  const unknown: UnknownFields[] = []
  try {
    return { known: read(unknown), unknown }
  } catch (error) {
    throw error instanceof RangeError ? tooDeep(name) : error
  }
}

const isDictionary = (value: unknown): value is Dictionary => typeof value === 'object' && value !== null && !Array.isArray(value)
const namesOnTheWire = (path: Path): Path => path.map((part) => (typeof part === 'string' ? snakeCase(part) : part))

/** Wire names to code names. A null where nothing is needed is nothing. */
function readNames(plan: WirePlan, wire: unknown, path: Path, unknown: UnknownFields[]): unknown {
  const { element, fields, byWireName } = plan
  if (element !== undefined && Array.isArray(wire)) return wire.map((item, index) => readNames(element, item, [...path, index], unknown))
  if (fields === undefined || !isDictionary(wire)) return wire
  const known: Dictionary = {}
  let extras: Dictionary | undefined
  for (const wireName of Object.keys(wire)) {
    const field = byWireName.get(wireName)
    const value = wire[wireName]
    if (field === undefined) define((extras ??= {}), wireName, value)
    else if (value !== null || field.takesNull) known[field.name] = hasNames(field.plan) ? readNames(field.plan, value, [...path, field.name], unknown) : value
  }
  if (extras !== undefined) unknown.push({ path, fields: extras })
  return known
}

/** The message without its unknown fields. */
function detach(plan: WirePlan, message: unknown, path: Path, unknown: UnknownFields[]): unknown {
  const { element, fields, byName } = plan
  if (Array.isArray(message)) return element === undefined ? message.slice() : message.map((item, index) => detach(element, item, [...path, index], unknown))
  if (!isDictionary(message)) return message
  if (fields === undefined) return Object.getPrototypeOf(message) === Object.prototype ? { ...message } : message
  const known: Dictionary = {}
  for (const name of Object.keys(message)) {
    const value = message[name]
    const field = byName.get(name)
    if (field !== undefined) known[name] = detach(field.plan, value, hasNames(field.plan) ? [...path, name] : path, unknown)
    else if (name === UNKNOWN_FIELDS && isDictionary(value)) unknown.push({ path, fields: value })
    else define(known, name, value)
  }
  return known
}

/** Code names to wire names, in the schema's order. */
function writeNames(plan: WirePlan, value: unknown): unknown {
  const { element, fields } = plan
  if (element !== undefined && Array.isArray(value)) return value.map((item) => writeNames(element, item))
  if (fields === undefined || !isDictionary(value)) return value
  const wire: Dictionary = {}
  for (const field of fields) {
    const given = value[field.name]
    if (given !== undefined) wire[field.wireName] = hasNames(field.plan) ? writeNames(field.plan, given) : given
  }
  return wire
}

/** Puts defaults in place, in objects that were made here. */
function withDefaults(plan: WirePlan, known: unknown): unknown {
  const { element, fields } = plan
  if (element !== undefined && Array.isArray(known)) for (const item of known) withDefaults(element, item)
  if (fields === undefined || !isDictionary(known)) return known
  for (const field of fields) {
    const value = known[field.name]
    if (value === undefined) {
      if (field.hasDefault) known[field.name] = field.defaultValue()
    } else if (hasNames(field.plan)) withDefaults(field.plan, value)
  }
  return known
}

const hasNames = ({ fields, element }: WirePlan): boolean => fields !== undefined || element !== undefined

function withUnknown<Message>(message: Message, unknown: readonly UnknownFields[]): Message {
  for (const { path, fields } of unknown) {
    const level = at(message, path)
    if (isDictionary(level)) level[UNKNOWN_FIELDS] = fields
  }
  return message
}

const at = (value: unknown, path: Path): unknown => path.reduce<unknown>((level, part) => (level as Dictionary | undefined)?.[part], value)

/** A plain assignment of `__proto__` would set the prototype instead. */
function define(target: Dictionary, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  else target[name] = value
}

function invalid(name: string, issues: readonly z.core.$ZodIssue[], nameOf: (path: Path) => Path): ValidationError {
  const found: ValidationIssue[] = issues.map(({ path, message }) => ({
    path: nameOf(path.map((part) => (typeof part === 'symbol' ? String(part) : part))),
    message,
  }))
  const [first] = found
  const where = first === undefined ? '' : `: ${first.path.join('.') || 'it'}: ${first.message}`
  return messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `this is no valid ${name}${where}`, found, { message: name })
}

const tooDeep = (name: string): ValidationError => invalidText(name, 'is nested too deeply, or holds itself')

function invalidText(name: string, message: string): ValidationError {
  return messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `a ${name} ${message}`, [{ path: [], message }], { message: name })
}
