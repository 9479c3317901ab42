import { z } from 'zod'

/** `requestId` → `request_id`. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The part of a zod schema's definition that names and nesting depend on. */
interface SchemaShape {
  readonly type: string
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly element?: z.ZodType
  readonly innerType?: z.ZodType
}

const WRAPPERS = new Set(['optional', 'nullable', 'default', 'prefault', 'readonly', 'nonoptional', 'catch'])

// Read from the definition, not by `instanceof`: the schema may come from another copy of zod.
const definitionOf = (schema: z.ZodType): SchemaShape => schema.def as unknown as SchemaShape

/** What is inside `optional()`, `default()` and the like. */
function unwrap(schema: z.ZodType): SchemaShape {
  const definition = definitionOf(schema)
  return WRAPPERS.has(definition.type) && definition.innerType !== undefined ? unwrap(definition.innerType) : definition
}

/** The fields of an object schema, by their name in code; undefined for any other schema. */
export function fieldsOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  const { type, shape } = unwrap(schema)
  return type === 'object' ? shape : undefined
}

/** The schema of an array's elements; undefined for any other schema. */
export function elementOf(schema: z.ZodType): z.ZodType | undefined {
  const { type, element } = unwrap(schema)
  return type === 'array' ? element : undefined
}

/** Whether the field may be absent. */
const isOptional = (schema: z.ZodType): boolean => schema.safeParse(undefined).success

/** The schema of what goes over the wire: names in snake_case, unknown fields allowed. */
export function wireSchemaOf(schema: z.ZodType): z.ZodType {
  const renamed = renamedObject(schema) ?? renamedArray(schema)
  if (renamed === undefined) return schema
  return isOptional(schema) ? renamed.optional() : renamed
}

function renamedObject(schema: z.ZodType): z.ZodType | undefined {
  const fields = fieldsOf(schema)
  return fields && z.looseObject(Object.fromEntries(Object.entries(fields).map(([name, field]) => [snakeCase(name), wireSchemaOf(field)])))
}

function renamedArray(schema: z.ZodType): z.ZodType | undefined {
  const element = elementOf(schema)
  const renamed = element && wireSchemaOf(element)
  return renamed === undefined || renamed === element ? undefined : z.array(renamed)
}

/** The JSON Schema (2020-12) of a message as it goes over the wire. */
export function wireJsonSchema(title: string, schema: z.ZodType): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(wireSchemaOf(schema), { io: 'input' }) as Record<string, unknown>
  return { $schema, title, ...rest }
}
