import { valueError } from '../errors.ts'

/** The member that marks a value which JSON doesn't know; a plain object that has such a member is marked itself. */
export const MARK = '$'
/** Nested deeper than this, a value is refused, and a payload is a miss. */
export const MOST_DEPTH = 500

/**
 * A value as text: plain JSON, in which Date, bigint, Map, Set, bytes, `undefined`, NaN, infinities and −0 stand as marked objects.
 * What is shared within the value comes back as copies.
 *
 * @throws ValidationError `ERR_CACHE_VALUE` for what could not be given back as what it was, and for a circle
 */
export function encodeValue(value: unknown): string {
  return JSON.stringify(new Encoder().encode(value))
}

class Encoder {
  readonly #path: (string | number)[] = []
  readonly #above = new Set<object>()

  encode(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0) ? value : { [MARK]: 'number', v: Object.is(value, -0) ? '-0' : String(value) }
      case 'bigint':
        return { [MARK]: 'bigint', v: String(value) }
      case 'undefined':
        return { [MARK]: 'undefined' }
      case 'object':
        return value === null ? null : this.#encodeObject(value)
      default:
        throw valueError(this.#path, `a ${typeof value}`)
    }
  }

  #encodeObject(value: object): unknown {
    if (this.#above.has(value)) throw valueError(this.#path, 'an object that holds itself')
    if (this.#above.size >= MOST_DEPTH) throw valueError([], 'a value that is nested too deep')
    this.#above.add(value)
    const encoded = Array.isArray(value) ? value.map((member, index) => this.#within(index, member)) : this.#encodeOther(value)
    this.#above.delete(value)
    return encoded
  }

  #encodeOther(value: object): unknown {
    const prototype = Object.getPrototypeOf(value) as object | null
    if (prototype === null || Object.getPrototypeOf(prototype) === null) return this.#encodePlain(value as Record<string, unknown>)
    if (value instanceof Date) return { [MARK]: 'Date', v: Number.isNaN(value.getTime()) ? null : value.getTime() }
    if (value instanceof Map) return { [MARK]: 'Map', v: [...value].map(([key, member]) => [this.#within(String(key), key), this.#within(String(key), member)]) }
    if (value instanceof Set) return { [MARK]: 'Set', v: [...value].map((member, index) => this.#within(index, member)) }
    if (value instanceof ArrayBuffer) return { [MARK]: 'ArrayBuffer', v: Buffer.from(value).toString('base64') }
    if (ArrayBuffer.isView(value)) return { [MARK]: nameOfView(value), v: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
    throw valueError(this.#path, `an instance of ${value.constructor?.name || 'a class'}`)
  }

  #encodePlain(value: Record<string, unknown>): unknown {
    const members = Object.keys(value).map((key) => [key, this.#within(key, value[key])] as const)
    // `fromEntries` defines members: a key like `__proto__` stays one.
    const plain: unknown = Object.fromEntries(members)
    return Object.hasOwn(value, MARK) ? { [MARK]: 'object', v: plain } : plain
  }

  #within(place: string | number, member: unknown): unknown {
    this.#path.push(place)
    const encoded = this.encode(member)
    this.#path.pop()
    return encoded
  }
}

/** A Node `Buffer` is the `Uint8Array` that it is. */
function nameOfView(view: ArrayBufferView): string {
  return view instanceof DataView ? 'DataView' : (view as unknown as { readonly [Symbol.toStringTag]: string })[Symbol.toStringTag]
}
