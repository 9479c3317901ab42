import { createHash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { messagingValidationError } from '../errors.ts'
import { parseExact, stringifyExact } from '../pipeline/exact-json.ts'
import type { DeadLetter } from './read-dead-letters.ts'

/**
 * Mends the event of a dead letter. Gets the parsed event, or undefined when the bytes are no JSON (`letter.value` has them); answers the
 * mended event, a text or bytes to send as they are, or `undefined` to leave the letter where it is. Numbers that a double would change are
 * objects with their `digits`, and go out as they came.
 */
export type DeadLetterPatch = (event: unknown, letter: DeadLetter) => unknown

/** A patch as data: fields by name; what isn't named stays. */
export interface PatchFields {
  /** Fields that get a value, whatever they had. @default {} */
  readonly set?: Readonly<Record<string, unknown>> | undefined
  /** Fields that get a value where they are missing or null. @default {} */
  readonly fill?: Readonly<Record<string, unknown>> | undefined
  /** Fields that are taken out. @default [] */
  readonly remove?: readonly string[] | undefined
  /** Old name to new name. @default {} */
  readonly rename?: Readonly<Record<string, string>> | undefined
}

/** Makes a patch from data: renames first, then removes, fills and sets. @throws ValidationError `ERR_MESSAGING_INVALID_ARGUMENT` naming what is wrong */
export function patchFromFields(fields: PatchFields): DeadLetterPatch {
  checkFields(fields)
  const { set = {}, fill = {}, remove = [], rename = {} } = fields
  return (event) => {
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return undefined
    const patched = new Map<string, unknown>(Object.entries(event).map(([name, value]) => [Object.hasOwn(rename, name) ? (rename[name] as string) : name, value]))
    for (const name of remove) patched.delete(name)
    for (const [name, value] of Object.entries(fill)) if ((patched.get(name) ?? null) === null) patched.set(name, value)
    for (const [name, value] of Object.entries(set)) patched.set(name, value)
    return Object.fromEntries(patched)
  }
}

const PATCH_PARTS = ['set', 'fill', 'rename'] as const

function checkFields(fields: PatchFields): void {
  const wrong = (path: string, message: string): Error => messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `the patch is wrong: ${path} ${message}`, [{ path: path.split('.'), message }])
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) throw wrong('patch', 'must be an object with set, fill, remove or rename')
  const unknown = Object.keys(fields).find((name) => name !== 'remove' && !(PATCH_PARTS as readonly string[]).includes(name))
  if (unknown !== undefined) throw wrong(unknown, 'is none of set, fill, remove and rename')
  for (const part of PATCH_PARTS) {
    const given: unknown = fields[part]
    if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) throw wrong(part, 'must be an object with a field name each')
  }
  if (fields.remove !== undefined && !(Array.isArray(fields.remove) && fields.remove.every((name) => typeof name === 'string'))) throw wrong('remove', 'must be a list of field names')
  const renamed = Object.entries(fields.rename ?? {}).find(([, name]) => typeof name !== 'string' || name === '')
  if (renamed !== undefined) throw wrong(`rename.${renamed[0]}`, 'must be a field name')
}

/** The bytes to send for a letter: mended, or as they are without a patch. Null when the patch leaves it where it is. */
export function patchedValue(letter: DeadLetter, patch: DeadLetterPatch | undefined): { readonly value: Uint8Array | null } | null {
  if (patch === undefined) return { value: letter.value }
  const patched = patch(parsed(letter.value), letter)
  if (patched === undefined) return null
  if (patched === null || patched instanceof Uint8Array) return { value: patched }
  return { value: Buffer.from(typeof patched === 'string' ? patched : stringifyExact(patched)) }
}

function parsed(value: Uint8Array | null): unknown {
  if (value === null || !isUtf8(value)) return undefined
  try {
    return parseExact(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'))
  } catch {
    return undefined
  }
}

/** A short name for what a patch is, for the journal: equal patches have equal names. */
export function patchName(patch: DeadLetterPatch | undefined): string {
  return patch === undefined ? 'none' : createHash('sha256').update(patch.toString()).digest('hex').slice(0, 12)
}
