import type { RedisConnection } from './redis-connection.ts'

/** Keys in one request: more would keep others waiting. */
const MOST_KEYS = 256

interface Asked {
  readonly name: string
  readonly resolve: (payload: string | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Reads that are asked for in the same turn go in one request. In a cluster, where keys stand in many places, each goes by itself in the client's pipeline. */
export class GetBatch {
  readonly #connection: RedisConnection
  #asked: Asked[] = []

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  async get(name: string): Promise<string | undefined> {
    if (this.#connection.isCluster) return (await this.#connection.commands.get(name)) ?? undefined
    return new Promise((resolve, reject) => {
      this.#asked.push({ name, resolve, reject })
      if (this.#asked.length === 1) process.nextTick(() => this.#flush())
      else if (this.#asked.length === MOST_KEYS) this.#flush()
    })
  }

  #flush(): void {
    const asked = this.#asked
    if (asked.length === 0) return
    this.#asked = []
    this.#fetch(asked).catch((error: unknown) => {
      for (const { reject } of asked) reject(error)
    })
  }

  async #fetch(asked: readonly Asked[]): Promise<void> {
    const payloads = await this.#connection.commands.mget(asked.map(({ name }) => name))
    for (const [index, { resolve }] of asked.entries()) resolve(payloads[index] ?? undefined)
  }
}
