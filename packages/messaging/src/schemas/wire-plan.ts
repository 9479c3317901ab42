import type { z } from 'zod'
import { elementOf, fieldsOf, snakeCase } from './wire-names.ts'

/** What names and defaults depend on, worked out once for a schema. */
export interface WirePlan {
  /** Of an object schema, in the order of the wire. */
  readonly fields: readonly FieldPlan[] | undefined
  /** The same by their names on the wire. */
  readonly byWireName: ReadonlyMap<string, FieldPlan>
  /** The same by their names in the code. */
  readonly byName: ReadonlyMap<string, FieldPlan>
  /** Of an array schema whose elements have names themselves. */
  readonly element: WirePlan | undefined
}

/** One field of an object schema. */
export interface FieldPlan {
  readonly name: string
  readonly wireName: string
  /** Of the field's value; made when it is first asked for, as a schema may hold itself. */
  readonly plan: WirePlan
  /** Whether null is a value of its own, not just absence. */
  readonly takesNull: boolean
  readonly hasDefault: boolean
  /** A default value, made anew each time. */
  defaultValue(): unknown
}

const plans = new WeakMap<z.ZodType, WirePlan>()
const LEAF: WirePlan = { fields: undefined, byWireName: new Map(), byName: new Map(), element: undefined }

/** The plan of a schema. */
export function wirePlanOf(schema: z.ZodType): WirePlan {
  const known = plans.get(schema)
  if (known !== undefined) return known
  const plan = makePlan(schema)
  plans.set(schema, plan)
  return plan
}

function makePlan(schema: z.ZodType): WirePlan {
  const element = elementOf(schema)
  if (element !== undefined) return { ...LEAF, element: wirePlanOf(element) }
  const shape = fieldsOf(schema)
  if (shape === undefined) return LEAF
  const fields = Object.entries(shape).map(([name, field]) => fieldPlan(name, field))
  const by = (nameOf: (field: FieldPlan) => string) => new Map(fields.map((field) => [nameOf(field), field]))
  return { fields, byWireName: by(({ wireName }) => wireName), byName: by(({ name }) => name), element: undefined }
}

function fieldPlan(name: string, schema: z.ZodType): FieldPlan {
  const definition = schema.def as unknown as { type: string; defaultValue?: unknown }
  let takesNull: boolean | undefined
  return {
    name,
    wireName: snakeCase(name),
    get plan() {
      return wirePlanOf(schema)
    },
    get takesNull() {
      return (takesNull ??= schema.safeParse(null).success)
    },
    hasDefault: definition.type === 'default',
    defaultValue: () => definition.defaultValue,
  }
}
