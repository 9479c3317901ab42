/** Names in Redis. What belongs to one key stands in one slot of a cluster, whatever the key is. */
export class RedisKeys {
  /** Run, numbers, tags and nodes. */
  readonly coordination: string
  /** Channels: of invalidations, of keys that are settled, and, with a node's name after it, of who has followed. */
  readonly invalidations: string
  readonly settled: string
  readonly followed: string
  /** Globs of the tokens of all loads under way, and of all values. */
  readonly allTokens: string
  readonly allValues: string
  readonly #start: string

  constructor(prefix: string) {
    this.coordination = `${prefix}:{coordination}`
    this.invalidations = `${prefix}:{coordination}:i`
    this.settled = `${prefix}:{coordination}:s`
    this.followed = `${prefix}:{coordination}:f:`
    this.#start = `${prefix}:{k:`
    this.allTokens = `${this.#start}*}:t`
    this.allValues = `${this.#start}*}:v`
  }

  value(key: string): string {
    return `${this.#start}${escape(key)}}:v`
  }

  token(key: string): string {
    return `${this.#start}${escape(key)}}:t`
  }

  /** Value, token, and mark that somebody waits. */
  all(key: string): [string, string, string] {
    return [this.value(key), this.token(key), `${this.#start}${escape(key)}}:w`]
  }

  /** The key of a name; `undefined` for a name that isn't one. */
  keyOf(name: string): string | undefined {
    const end = name.indexOf('}', this.#start.length)
    return name.startsWith(this.#start) && end >= 0 ? name.slice(this.#start.length, end).replaceAll('%7D', '}').replaceAll('%25', '%') : undefined
  }
}

/** A closing brace would end the part that decides the slot. */
const escape = (key: string): string => (key.includes('%') || key.includes('}') ? key.replaceAll('%', '%25').replaceAll('}', '%7D') : key)
