import { kindOf } from '../row-binary/cell-refusal.ts'
import { isTyped } from './typed-value.ts'

/**
 * The ClickHouse type that a value is bound as:
 * a string is `String`, an integer `Int64`, another number `Float64`, a bigint the first of `Int64`, `UInt64`, `Int128`, `Int256`,
 * `UInt256` that holds it, a boolean `Bool`, a Date `DateTime64(3, 'UTC')`, bytes `String`, null `Nullable(String)`, an array
 * `Array(…)` of what its elements share, a Map or a plain object `Map(…)`.
 *
 * @returns a type, or why there is none
 */
export function inferType(value: unknown): { type: string } | { problem: string } {
  const shape = shapeOf(value)
  return 'problem' in shape ? shape : { type: render(shape) }
}

/** A type that can still be widened. */
type Shape =
  | { readonly base: 'null' }
  | { readonly base: string; readonly nullable: boolean; readonly inner?: readonly Shape[] }
  | { readonly problem: string }

type Known = Exclude<Shape, { problem: string }>

const plain = (base: string): Known => ({ base, nullable: false })

// Each holds all that the ones before it hold, but for the signed types and negative numbers.
const INTEGERS = ['Int64', 'UInt64', 'Int128', 'UInt128', 'Int256', 'UInt256']

function shapeOf(value: unknown): Shape {
  if (value === null) return { base: 'null' }
  if (isTyped(value)) return plain(value.type)
  switch (typeof value) {
    case 'string':
      return plain('String')
    case 'boolean':
      return plain('Bool')
    case 'number':
      return plain(Number.isSafeInteger(value) && !Object.is(value, -0) ? 'Int64' : 'Float64')
    case 'bigint':
      return integerShape(value)
    case 'object':
      return objectShape(value)
    default:
      return { problem: `has no ClickHouse type: found ${kindOf(value)}; give null for no value` }
  }
}

function integerShape(value: bigint): Shape {
  const type = INTEGERS.filter((name) => name !== 'UInt128').find((name) => {
    const bits = BigInt(name.replace(/\D+/, ''))
    return name.startsWith('U') ? value >= 0n && value < 1n << bits : value >= -(1n << (bits - 1n)) && value < 1n << (bits - 1n)
  })
  return type === undefined ? { problem: 'is an integer that does not fit 256 bits' } : plain(type)
}

function objectShape(value: object): Shape {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? { problem: 'is an invalid Date' } : plain("DateTime64(3, 'UTC')")
  if (value instanceof Uint8Array) return plain('String')
  if (Array.isArray(value)) return container('Array', [shared(value)])
  if (value instanceof Map) return container('Map', [shared([...(value as Map<unknown, unknown>).keys()]), shared([...(value as Map<unknown, unknown>).values()])])
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return container('Map', [plain('String'), shared(Object.values(value))])
  return { problem: `has no ClickHouse type: found ${kindOf(value)}` }
}

function container(base: string, inner: readonly Shape[]): Shape {
  return inner.find((shape): shape is { problem: string } => 'problem' in shape) ?? { base, nullable: false, inner }
}

/** What all of them fit in; text when there are none. */
function shared(values: readonly unknown[]): Shape {
  let result: Shape | undefined
  for (const value of values) {
    const shape = shapeOf(value)
    result = result === undefined ? shape : widen(result, shape)
    if ('problem' in result) return result
  }
  return result ?? plain('String')
}

function widen(one: Shape, other: Shape): Shape {
  if ('problem' in one) return one
  if ('problem' in other) return other
  if (one.base === 'null') return withNull(other)
  if (other.base === 'null') return withNull(one)
  const [left, right] = [one, other] as [Exclude<Known, { base: 'null' }>, Exclude<Known, { base: 'null' }>]
  const nullable = ('nullable' in left && left.nullable) || ('nullable' in right && right.nullable)
  const base = sharedBase(left.base, right.base)
  if (base === undefined) return { problem: `mixes ${left.base} and ${right.base}; bind it with typed('Array(…)', …)` }
  if (!('inner' in left) || !('inner' in right) || !left.inner || !right.inner) return { base, nullable }
  return container(base, left.inner.map((inner, index) => widen(inner, right.inner?.[index] ?? inner)))
}

function sharedBase(one: string, other: string): string | undefined {
  if (one === other) return one
  const [lower, higher] = [INTEGERS.indexOf(one), INTEGERS.indexOf(other)].sort((left, right) => left - right) as [number, number]
  if (lower >= 0) {
    const wider = INTEGERS[higher] as string
    // Only a signed type holds the negative numbers of the narrower one.
    return wider === 'UInt64' ? 'Int128' : wider === 'UInt256' ? undefined : wider
  }
  return (one === 'Float64' && other === 'Int64') || (one === 'Int64' && other === 'Float64') ? 'Float64' : undefined
}

/** Arrays and maps can't be null. */
function withNull(shape: Known): Shape {
  if (shape.base === 'null') return shape
  if ('inner' in shape && shape.inner) return { problem: `mixes null and ${shape.base}, which can't be null` }
  return { base: shape.base, nullable: true }
}

function render(shape: Shape): string {
  if ('problem' in shape) return ''
  if (shape.base === 'null') return 'Nullable(String)'
  if (!('nullable' in shape)) return shape.base
  const text = shape.inner ? `${shape.base}(${shape.inner.map(render).join(', ')})` : shape.base
  return shape.nullable && !text.startsWith('Nullable(') ? `Nullable(${text})` : text
}
