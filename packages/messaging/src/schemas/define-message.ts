import type { z } from 'zod'
import { kindOf, messagingValidationError, optionError } from '../errors.ts'
import { checkMessage, fromWire, parseJson, toWire } from './wire-codec.ts'
import { wireJsonSchema } from './wire-names.ts'

/** Brings a message of one version, with its names on the wire, to the next version. */
export type MessageUpgrade = (wire: Record<string, unknown>) => Record<string, unknown>

/** What {@link defineMessage} may be told beside the schema. */
export interface DefineMessageOptions {
  /** How a message of an older version becomes one of the next: by the version that it comes from. @default none */
  upgrades?: Readonly<Record<number, MessageUpgrade>> | undefined
}

/** A kind of message: how it is made, checked, written and read. */
export interface MessageDefinition<Schema extends z.ZodType> {
  readonly name: string
  readonly version: number
  readonly schema: Schema
  /** Checks a message and puts its defaults in place. @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` */
  create(fields: z.input<Schema>): z.output<Schema>
  /** The message as an object with its names on the wire, and its kind and version. */
  toDict(message: z.output<Schema>): Record<string, unknown>
  /** Reads a message of this version, an older one (by its upgrades) or a newer one (what isn't known of it is kept). */
  fromDict(dict: unknown): z.output<Schema>
  toJson(message: z.output<Schema>): string
  fromJson(json: string): z.output<Schema>
  isValid(value: unknown): boolean
  /** The JSON Schema (2020-12) of the message on the wire. */
  jsonSchema(): Record<string, unknown>
}

const TYPE_FIELD = 'message_type'
const VERSION_FIELD = 'message_version'

/**
 * Defines a kind of message. In code its fields have camelCase names, on the wire snake_case; `message_type` and
 * `message_version` are written beside them. A field that a version doesn't know is kept in `unknownFields`.
 *
 * @param schema an object schema of zod
 * @param version counts from 1; raise it when the wire changes so that an older message needs an upgrade
 * @example
 * const orderPlaced = defineMessage('order_placed', z.object({ orderId: z.uuid(), totalCents: z.int() }), 2, {
 *   upgrades: { 1: ({ total, ...order }) => ({ ...order, total_cents: Math.round(Number(total) * 100) }) },
 * })
 * await service.sendMessage('orders', orderPlaced.toDict(order))
 */
export function defineMessage<Schema extends z.ZodType>(
  name: string,
  schema: Schema,
  version: number,
  options: DefineMessageOptions = {},
): MessageDefinition<Schema> {
  if (!Number.isInteger(version) || version < 1) throw optionError('version', version, 'a whole number from 1')
  const { upgrades = {} } = options
  for (let from = firstUpgrade(upgrades); from < version; from++) {
    if (typeof upgrades[from] !== 'function') throw optionError(`upgrades[${from}]`, upgrades[from], `a function that makes version ${from + 1} of "${name}"`)
  }

  const fromDict = (dict: unknown): z.output<Schema> => {
    const { fields, newer } = readVersion(name, version, upgrades, dict)
    const message = fromWire(name, schema, fields)
    // What was of a newer version is passed on as that version: its other fields come along.
    if (newer !== undefined) Object.defineProperty(message, NEWER_VERSION, { value: newer, enumerable: true })
    return message
  }
  const toDict = (message: z.output<Schema>): Record<string, unknown> => {
    const newer = (message as Record<symbol, unknown>)[NEWER_VERSION]
    return { [TYPE_FIELD]: name, [VERSION_FIELD]: newer ?? version, ...toWire(name, schema, message) }
  }
  return {
    name,
    version,
    schema,
    create: (fields) => checkMessage(name, schema, fields),
    toDict,
    fromDict,
    toJson: (message) => JSON.stringify(toDict(message)),
    fromJson: (json) => fromDict(parseJson(name, json)),
    isValid: (value) => schema.safeParse(value).success,
    jsonSchema: () => withEnvelope(name, wireJsonSchema(name, schema)),
  }
}

/** Symbols are copied by `{ ...message }`, and written to no JSON. */
const NEWER_VERSION = Symbol.for('smart-whale.message.newer-version')

const firstUpgrade = (upgrades: Readonly<Record<number, unknown>>): number => Math.min(Infinity, ...Object.keys(upgrades).map(Number))

function readVersion(
  name: string,
  version: number,
  upgrades: Readonly<Record<number, MessageUpgrade>>,
  dict: unknown,
): { fields: Record<string, unknown>; newer: number | undefined } {
  if (typeof dict !== 'object' || dict === null || Array.isArray(dict)) throw invalid(name, [], `must be an object, got ${kindOf(dict)}`)
  const { [TYPE_FIELD]: type, [VERSION_FIELD]: found, ...fields } = dict as Record<string, unknown>
  if (type !== name) throw invalid(name, [TYPE_FIELD], `must be "${name}", got ${typeof type === 'string' ? `"${type.slice(0, 60)}"` : kindOf(type)}`)
  if (typeof found !== 'number' || !Number.isInteger(found) || found < 1) throw invalid(name, [VERSION_FIELD], `must be a whole number from 1, got ${kindOf(found)}`)
  let upgraded = fields
  for (let from = found; from < version; from++) {
    const upgrade = upgrades[from]
    if (upgrade === undefined) throw invalid(name, [VERSION_FIELD], `is ${found}; there is no upgrade from version ${from} to ${from + 1}`)
    upgraded = runUpgrade(name, from, upgrade, upgraded)
  }
  return { fields: upgraded, newer: found > version ? found : undefined }
}

/** An upgrade that fails has met a message that was never valid. */
function runUpgrade(name: string, from: number, upgrade: MessageUpgrade, fields: Record<string, unknown>): Record<string, unknown> {
  try {
    return upgrade(fields)
  } catch {
    throw invalid(name, [], `can't be upgraded from version ${from}: its fields are not those of that version`)
  }
}

function withEnvelope(name: string, jsonSchema: Record<string, unknown>): Record<string, unknown> {
  const { properties, required } = jsonSchema as { properties?: object; required?: readonly string[] }
  const envelope = { [TYPE_FIELD]: { const: name }, [VERSION_FIELD]: { type: 'integer', minimum: 1 } }
  return { ...jsonSchema, properties: { ...envelope, ...properties }, required: [TYPE_FIELD, VERSION_FIELD, ...(required ?? [])] }
}

function invalid(name: string, path: readonly string[], message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `this is no valid ${name}: ${path.join('.') || 'it'} ${message}`, [{ path: [...path], message }], {
    message: name,
  })
}
