import { Ajv2020 } from 'ajv/dist/2020.js'
import { z } from 'zod'
import { isExactInJsonSchema } from './exact-in-json-schema.ts'

/** Whether a value is surely valid; false leaves the question to zod. */
export type CompiledCheck = (value: unknown) => boolean

const askZod: CompiledCheck = () => false
const checks = new WeakMap<z.ZodType, CompiledCheck>()

/**
 * The check of a schema, compiled to code from its JSON Schema when it is first asked for. It says yes only to what zod would accept too,
 * and without changing it, save for defaults. A schema that says more than JSON Schema can (a refinement, a transform) leaves everything to
 * zod, and so does a runtime that lets no code be made.
 */
export function compiledCheckOf(schema: z.ZodType): CompiledCheck {
  const known = checks.get(schema)
  if (known !== undefined) return known
  const check = compile(schema)
  checks.set(schema, check)
  return check
}

function compile(schema: z.ZodType): CompiledCheck {
  if (!isExactInJsonSchema(schema)) return askZod
  try {
    const jsonSchema = z.toJSONSchema(schema, {
      io: 'input',
      override: ({ zodSchema, jsonSchema: part }) => {
        if (zodSchema._zod.def.type === 'record') {
          part[PLAIN_OBJECT] = true
          // Any string is a key here; and ajv skips what comes after this word when there are no keys.
          delete part.propertyNames
        }
        if (part.type === 'string' && (part.maxLength !== undefined || (part.minLength ?? 0) > 1)) part[NO_SURROGATES] = true
      },
    })
    return compiler().compile(jsonSchema)
  } catch {
    return askZod
  }
}

/** Zod takes no other object for a record than a plain one, and has its own mind about some keys: those are left to it. */
const PLAIN_OBJECT = 'plainObject'

/** Versions of zod differ in whether such a pair of code units counts as one character. */
const NO_SURROGATES = 'noSurrogates'

function isPlainRecord(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype && value.constructor === Object && !Object.hasOwn(value, '__proto__') && Object.getOwnPropertySymbols(value).length === 0
}

let shared: Ajv2020 | undefined

function compiler(): Ajv2020 {
  if (shared !== undefined) return shared
  // Patterns without the `u` flag, formats by their patterns: as zod has them. Counting code units is quicker, and the same without surrogates.
  shared = new Ajv2020({ strict: false, strictNumbers: true, validateFormats: false, unicodeRegExp: false, unicode: false, logger: false })
  shared.addKeyword({ keyword: PLAIN_OBJECT, type: 'object', errors: false, validate: (_: unknown, value: object) => isPlainRecord(value) })
  shared.addKeyword({ keyword: NO_SURROGATES, type: 'string', errors: false, validate: (_: unknown, value: string) => !/[\ud800-\udfff]/.test(value) })
  return shared
}
