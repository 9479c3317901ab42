import { valueError } from '../errors.ts'

/** What a value costs in memory, roughly and rather too much: V8 on 64 bits, measured with whole result sets. */
const COST = {
  number: 16,
  bigint: 32,
  date: 96,
  text: 24,
  textPerUnit: 2,
  container: 40,
  member: 8,
  mapOrSet: 200,
  mapOrSetMember: 40,
  binary: 200,
} as const

/** A value of the cache's own, apart from whoever gave it. */
export interface ValueCopy {
  readonly value: unknown
  /** Memory that it takes, estimated. */
  readonly bytes: number
  /** Whether nobody can change it, so that one copy may be handed to everybody. */
  readonly frozen: boolean
}

/**
 * A copy that the holder of the original can't change. Plain objects and arrays are frozen. Date, Map, Set and bytes can't be
 * frozen: a value that holds one is marked, and has to be copied again for each reader.
 *
 * @throws ValidationError `ERR_CACHE_VALUE` for what would come back as something else: functions, symbols, instances of classes
 */
export function copyForCache(value: unknown): ValueCopy {
  const copier = new Copier(true)
  return { value: copyOrRefuse(copier, value), bytes: copier.bytes, frozen: copier.frozen }
}

/** A copy for a reader, who may change it. */
export function copyForReader(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? new Copier(false).copy(value) : value
}

/** The estimated memory of a text. */
export const bytesOfText = (text: string): number => COST.text + COST.textPerUnit * text.length

function copyOrRefuse(copier: Copier, value: unknown): unknown {
  try {
    return copier.copy(value)
  } catch (error) {
    // A path is kept for nobody but the one who has to find the culprit.
    if (error instanceof Uncopyable) throw valueError(pathTo(error.culprit, value, new Set()) ?? [], error.found)
    if (error instanceof RangeError) throw valueError([], 'a value that is nested too deep')
    throw error
  }
}

/** Tells {@link copyOrRefuse} what stood in the way; never leaves this file. */
class Uncopyable extends TypeError {
  readonly culprit: unknown
  readonly found: string
  constructor(culprit: unknown, found: string) {
    super(found)
    this.culprit = culprit
    this.found = found
  }
}

class Copier {
  bytes = 0
  frozen = true
  readonly #freeze: boolean
  /** Original to copy: what is shared or circular stays so. The outermost has fields of its own, as most values hold no other. */
  #copies: Map<object, object> | undefined
  #outermost: object | undefined
  #outermostCopy: object | undefined

  constructor(freeze: boolean) {
    this.#freeze = freeze
  }

  copy(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        this.bytes += bytesOfText(value)
        return value
      case 'number':
        this.bytes += COST.number
        return value
      case 'bigint':
        this.bytes += COST.bigint
        return value
      case 'function':
      case 'symbol':
        throw new Uncopyable(value, `a ${typeof value}`)
      case 'object':
        return value === null ? null : this.#copyObject(value)
      default:
        return value
    }
  }

  #copyObject(value: object): object {
    const known = value === this.#outermost ? this.#outermostCopy : this.#copies?.get(value)
    if (known !== undefined) return known
    if (Array.isArray(value)) return this.#copyArray(value)
    const prototype = Object.getPrototypeOf(value) as object | null
    // Any realm's Object.prototype is the end of its chain.
    if (prototype === null || Object.getPrototypeOf(prototype) === null) return this.#copyPlain(value as Record<string, unknown>, prototype)
    return this.#copyUnfreezable(value)
  }

  #copyArray(value: readonly unknown[]): unknown[] {
    const copy: unknown[] = []
    this.#remember(value, copy)
    this.bytes += COST.container + COST.member * value.length
    for (const member of value) copy.push(this.copy(member))
    return this.#freeze ? (Object.freeze(copy) as unknown[]) : copy
  }

  #copyPlain(value: Record<string, unknown>, prototype: object | null): object {
    const copy: Record<string, unknown> = prototype === null ? (Object.create(null) as Record<string, unknown>) : {}
    this.#remember(value, copy)
    this.bytes += COST.container
    for (const key of Object.keys(value)) {
      const member = this.copy(value[key])
      this.bytes += COST.member
      // Assigning to `__proto__` would set the prototype instead of a member.
      if (key === '__proto__') Object.defineProperty(copy, key, { value: member, enumerable: true, configurable: true, writable: true })
      else copy[key] = member
    }
    return this.#freeze ? Object.freeze(copy) : copy
  }

  #copyUnfreezable(value: object): object {
    this.frozen = false
    if (value instanceof Date) {
      this.bytes += COST.date
      return this.#remember(value, new Date(value.getTime()))
    }
    if (value instanceof Map) return this.#copyMap(value)
    if (value instanceof Set) return this.#copySet(value)
    const bytes = copyBinary(value)
    if (bytes === undefined) throw new Uncopyable(value, `an instance of ${value.constructor?.name || 'a class'}`)
    this.bytes += COST.binary + bytes.byteLength
    return this.#remember(value, bytes)
  }

  #copyMap(value: Map<unknown, unknown>): Map<unknown, unknown> {
    const copy = new Map<unknown, unknown>()
    this.#remember(value, copy)
    this.bytes += COST.mapOrSet + COST.mapOrSetMember * value.size
    for (const [key, member] of value) copy.set(this.copy(key), this.copy(member))
    return copy
  }

  #copySet(value: Set<unknown>): Set<unknown> {
    const copy = new Set<unknown>()
    this.#remember(value, copy)
    this.bytes += COST.mapOrSet + COST.mapOrSetMember * value.size
    for (const member of value) copy.add(this.copy(member))
    return copy
  }

  #remember<C extends object>(original: object, copy: C): C {
    if (this.#outermost === undefined) {
      this.#outermost = original
      this.#outermostCopy = copy
    } else {
      this.#copies ??= new Map()
      this.#copies.set(original, copy)
    }
    return copy
  }
}

type TypedArrayConstructor = new (source: ArrayLike<number>) => ArrayBufferView

/** A copy of what the view shows, not of the buffer behind it; a Node `Buffer` comes back as the `Uint8Array` that it is. */
function copyBinary(value: object): (ArrayBufferView | ArrayBuffer) | undefined {
  if (value instanceof ArrayBuffer) return value.slice(0)
  if (!ArrayBuffer.isView(value)) return undefined
  if (value instanceof DataView) return new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength))
  const name = (value as unknown as { readonly [Symbol.toStringTag]: string })[Symbol.toStringTag]
  const Constructor = (globalThis as unknown as Record<string, TypedArrayConstructor>)[name] as TypedArrayConstructor
  return new Constructor(value as unknown as ArrayLike<number>)
}

/** Where the culprit stands in the value. */
function pathTo(culprit: unknown, value: unknown, seen: Set<unknown>): (string | number)[] | undefined {
  if (value === culprit) return []
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined
  seen.add(value)
  for (const [key, member] of membersOf(value)) {
    const rest = pathTo(culprit, member, seen)
    if (rest !== undefined) return [key, ...rest]
  }
  return undefined
}

function membersOf(value: object): Iterable<readonly [string | number, unknown]> {
  if (Array.isArray(value)) return value.entries()
  if (value instanceof Map) return [...value].flatMap(([key, member]) => [[String(key), key] as const, [String(key), member] as const])
  if (value instanceof Set) return [...value].entries()
  return Object.entries(value)
}
