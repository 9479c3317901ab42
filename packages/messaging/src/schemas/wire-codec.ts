import type { ValidationError, ValidationIssue } from '@smart-whale/interfaces'
import type { z } from 'zod'
import { kindOf, messagingValidationError } from '../errors.ts'
import { elementOf, fieldsOf, snakeCase } from './wire-names.ts'

/** Where fields that this version doesn't know are kept, at the level at which they came. */
export const UNKNOWN_FIELDS = 'unknownFields'

/** A message with what came along in fields that this version doesn't know. */
export interface WithUnknownFields {
  /** By their names on the wire; they are sent on as they are. */
  readonly unknownFields?: Readonly<Record<string, unknown>> | undefined
}

type Dictionary = Record<string, unknown>

/** Unknown fields at each level of a message. */
interface UnknownTree {
  readonly fields: Dictionary
  readonly below: Map<string | number, UnknownTree>
}

/** Turns a message's fields as they go over the wire into the message, checked; fields that it doesn't know are kept. */
export function fromWire<Schema extends z.ZodType>(name: string, schema: Schema, wire: unknown): z.output<Schema> {
  const unknown = emptyTree()
  const known = readNames(schema, wire, unknown)
  const result = schema.safeParse(known)
  if (!result.success) throw invalid(name, result.error.issues, (path) => path.map((part) => (typeof part === 'string' ? snakeCase(part) : part)))
  attach(result.data, unknown)
  return result.data
}

/** Turns a message into its fields as they go over the wire, checked. */
export function toWire(name: string, schema: z.ZodType, message: unknown): Dictionary {
  const unknown = emptyTree()
  const result = schema.safeParse(detach(schema, message, unknown))
  if (!result.success) throw invalid(name, result.error.issues, (path) => path)
  return writeNames(schema, result.data, unknown) as Dictionary
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

const emptyTree = (): UnknownTree => ({ fields: {}, below: new Map() })

const isDictionary = (value: unknown): value is Dictionary => typeof value === 'object' && value !== null && !Array.isArray(value)

function subtree(tree: UnknownTree, at: string | number): UnknownTree {
  const below = tree.below.get(at) ?? emptyTree()
  tree.below.set(at, below)
  return below
}

/** Wire names to code names; what has no code name goes to the tree. A null where nothing is needed is nothing. */
function readNames(schema: z.ZodType, wire: unknown, unknown: UnknownTree): unknown {
  const element = elementOf(schema)
  if (element !== undefined && Array.isArray(wire)) return wire.map((item, index) => readNames(element, item, subtree(unknown, index)))
  const fields = fieldsOf(schema)
  if (fields === undefined || !isDictionary(wire)) return wire
  const codeNames = new Map(Object.keys(fields).map((name) => [snakeCase(name), name]))
  const known: Dictionary = {}
  for (const [wireName, value] of Object.entries(wire)) {
    const name = codeNames.get(wireName)
    const field = name === undefined ? undefined : fields[name]
    if (name === undefined || field === undefined) define(unknown.fields, wireName, value)
    else if (value !== null || field.safeParse(null).success) known[name] = readNames(field, value, subtree(unknown, name))
  }
  return known
}

/** Code names to wire names, in the schema's order; what the tree has comes after. */
function writeNames(schema: z.ZodType, value: unknown, unknown: UnknownTree): unknown {
  const element = elementOf(schema)
  if (element !== undefined && Array.isArray(value)) return value.map((item, index) => writeNames(element, item, subtree(unknown, index)))
  const fields = fieldsOf(schema)
  if (fields === undefined || !isDictionary(value)) return value
  const wire: Dictionary = {}
  for (const [name, field] of Object.entries(fields)) {
    if (value[name] !== undefined) wire[snakeCase(name)] = writeNames(field, value[name], subtree(unknown, name))
  }
  for (const [name, extra] of Object.entries(unknown.fields)) if (!Object.hasOwn(wire, name)) define(wire, name, extra)
  return wire
}

function attach(message: unknown, unknown: UnknownTree): void {
  if (typeof message !== 'object' || message === null) return
  if (Object.keys(unknown.fields).length > 0) (message as Dictionary)[UNKNOWN_FIELDS] = unknown.fields
  for (const [at, below] of unknown.below) attach((message as Dictionary)[at], below)
}

/** The message without its unknown fields, which go to the tree. */
function detach(schema: z.ZodType, message: unknown, unknown: UnknownTree): unknown {
  const element = elementOf(schema)
  if (element !== undefined && Array.isArray(message)) return message.map((item, index) => detach(element, item, subtree(unknown, index)))
  const fields = fieldsOf(schema)
  if (fields === undefined || !isDictionary(message)) return message
  const known: Dictionary = {}
  for (const [name, value] of Object.entries(message)) {
    const field = fields[name]
    if (name === UNKNOWN_FIELDS && field === undefined && isDictionary(value)) for (const [extra, kept] of Object.entries(value)) define(unknown.fields, extra, kept)
    else define(known, name, field === undefined ? value : detach(field, value, subtree(unknown, name)))
  }
  return known
}

/** A plain assignment of `__proto__` would set the prototype instead. */
function define(target: Dictionary, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
}

function invalid(name: string, issues: readonly z.core.$ZodIssue[], nameOf: (path: (string | number)[]) => (string | number)[]): ValidationError {
  const found: ValidationIssue[] = issues.map(({ path, message }) => ({
    path: nameOf(path.map((part) => (typeof part === 'symbol' ? String(part) : part))),
    message,
  }))
  const [first] = found
  const where = first === undefined ? '' : `: ${first.path.join('.') || 'it'}: ${first.message}`
  return messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `this is no valid ${name}${where}`, found, { message: name })
}

function invalidText(name: string, message: string): ValidationError {
  return messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `a ${name} ${message}`, [{ path: [], message }], { message: name })
}
