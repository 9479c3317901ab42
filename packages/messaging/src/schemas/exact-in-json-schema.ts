import type { z } from 'zod'

/** The part of a zod schema's definition that decides whether JSON Schema can say the same. */
interface Definition {
  readonly type: string
  readonly coerce?: boolean
  readonly format?: string
  readonly pattern?: RegExp
  readonly checks?: readonly { readonly _zod: { readonly def: Check } }[]
  readonly values?: readonly unknown[]
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly catchall?: z.ZodType
  readonly element?: z.ZodType
  readonly keyType?: z.ZodType
  readonly valueType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly inclusive?: boolean
  readonly mode?: string
  readonly innerType?: z.ZodType
  readonly getter?: () => z.ZodType
}

interface Check {
  readonly check: string
  readonly format?: string
  readonly pattern?: RegExp
}

// What is listed here was tried against zod with arbitrary values; everything else is left to zod.
const LENGTHS = new Set(['min_length', 'max_length', 'length_equals'])
const BOUNDS = new Set(['greater_than', 'less_than'])
const PATTERN_FORMATS = new Set(['uuid', 'guid', 'datetime', 'date', 'regex'])

/** Whether JSON Schema says all that a zod schema says, and values come out of it as they went in, save for defaults. */
export const isExactInJsonSchema = (schema: z.ZodType): boolean => isExact(schema, new Set())

function isExact(schema: z.ZodType, seen: Set<z.ZodType>): boolean {
  // A schema within itself is as exact as the rest of it.
  if (seen.has(schema)) return true
  seen.add(schema)
  const definition = schema.def as unknown as Definition
  if (definition.coerce === true) return false
  const rule = RULES[definition.type]
  return rule !== undefined && rule(definition, (inner) => inner === undefined || isExact(inner, seen))
}

type Rule = (definition: Definition, isExactInside: (inner: z.ZodType | undefined) => boolean) => boolean

const hasOnly = ({ checks = [] }: Definition, isKnown: (check: Check) => boolean): boolean => checks.every(({ _zod }) => isKnown(_zod.def))
const hasNoChecks = ({ checks = [] }: Definition): boolean => checks.length === 0
const isPlainPattern = ({ format, pattern }: { format?: string; pattern?: RegExp }): boolean => format !== undefined && PATTERN_FORMATS.has(format) && pattern?.flags === ''
const isSafeInteger = ({ format }: { format?: string }): boolean => format === 'safeint'

const scalar: Rule = hasNoChecks
const wrapper: Rule = (definition, isExactInside) => hasNoChecks(definition) && isExactInside(definition.innerType)

const RULES: Readonly<Record<string, Rule>> = {
  boolean: scalar,
  null: scalar,
  unknown: scalar,
  any: scalar,
  enum: scalar,
  optional: wrapper,
  nullable: wrapper,
  default: wrapper,
  string: (definition) =>
    (definition.format === undefined || isPlainPattern(definition)) &&
    hasOnly(definition, (check) => LENGTHS.has(check.check) || (check.check === 'string_format' && isPlainPattern(check))),
  number: (definition) =>
    (definition.format === undefined || isSafeInteger(definition)) &&
    hasOnly(definition, (check) => BOUNDS.has(check.check) || (check.check === 'number_format' && isSafeInteger(check))),
  literal: (definition) =>
    hasNoChecks(definition) && (definition.values ?? []).every((value) => value === null || typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))),
  array: (definition, isExactInside) => hasOnly(definition, ({ check }) => LENGTHS.has(check)) && isExactInside(definition.element),
  object: (definition, isExactInside) => hasNoChecks(definition) && isExactInside(definition.catchall) && Object.values(definition.shape ?? {}).every(isExactInside),
  record: (definition, isExactInside) => hasNoChecks(definition) && definition.mode === undefined && isAnyString(definition.keyType) && isExactInside(definition.valueType),
  union: (definition, isExactInside) => hasNoChecks(definition) && definition.inclusive !== false && (definition.options ?? []).every(isExactInside),
  lazy: (definition, isExactInside) => hasNoChecks(definition) && isExactInside(definition.getter?.()),
  never: scalar,
}

function isAnyString(schema: z.ZodType | undefined): boolean {
  const definition = schema?.def as unknown as Definition | undefined
  return definition?.type === 'string' && definition.format === undefined && hasNoChecks(definition)
}
