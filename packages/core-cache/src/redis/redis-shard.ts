import { withDeadline } from '@smart-whale/core-resilience'
import type { Logger } from '@smart-whale/interfaces'
import type { CacheShard, MovingEntry, ShardAnswer } from '../distribution/cache-shard.ts'
import { readTopology, type Topology } from '../distribution/topology.ts'
import { redisError } from '../errors.ts'
import type { RedisConfig } from './redis-config.ts'
import { RedisConnection } from './redis-connection.ts'
import type { RedisScript } from './redis-scripts.ts'
import { scanKeysOf } from './scan-keys.ts'

const KEYS_A_DELETION = 500

/** One Redis of a distribution. Entries have the names that `CacheService` gives them. */
export class RedisShard implements CacheShard {
  readonly #connection: RedisConnection
  readonly #name: string
  readonly #timeoutMs: number
  readonly #prefix: string
  readonly #version: string
  readonly #topology: string

  constructor(name: string, config: RedisConfig & { readonly prefix: string }, { timeoutMs, logger }: { readonly timeoutMs: number; readonly logger: Logger }) {
    this.#name = name
    this.#connection = new RedisConnection(config, logger)
    this.#timeoutMs = timeoutMs
    this.#prefix = config.prefix
    this.#version = `${config.prefix}:topology:version`
    this.#topology = `${config.prefix}:topology`
  }

  async connect(): Promise<void> {
    await this.#connection.open()
    try {
      await this.#ask('answer', () => this.#connection.commands.ping())
    } catch (error) {
      this.#connection.close()
      throw error
    }
  }

  async disconnect(): Promise<void> {
    this.#connection.close()
  }

  async get(key: string): Promise<ShardAnswer<string | undefined>> {
    const [payload, version] = await this.#ask('read', () => this.#connection.commands.mget(this.#value(key), this.#version))
    return { version: Number(version ?? 0), answer: payload ?? undefined }
  }

  async look(key: string): Promise<ShardAnswer<{ exists: boolean; leftMs: number | null }>> {
    const [version, exists, leftMs] = (await this.#run('look', 'swShardLook', this.#version, this.#value(key))) as [number, number, number]
    return { version, answer: { exists: exists === 1, leftMs: leftMs < 0 ? null : leftMs } }
  }

  async set(key: string, payload: string, lifeMs: number, version: number): Promise<ShardAnswer<undefined>> {
    const [known] = await this.#change('write', 'swShardSet', key, version, payload, lifeMs)
    return { version: known, answer: undefined }
  }

  async delete(key: string, version: number): Promise<ShardAnswer<boolean>> {
    const [known, deleted] = await this.#change('delete', 'swShardDelete', key, version)
    return { version: known, answer: deleted === 1 }
  }

  async *scan(): AsyncIterable<string[]> {
    for (const master of this.#connection.masters()) {
      for await (const names of scanKeysOf(master, `${this.#prefix}:c:*`)) yield names.map((name) => name.slice(this.#prefix.length + 3))
    }
  }

  async clear(): Promise<void> {
    for await (const keys of this.scan()) {
      for (let at = 0; at < keys.length; at += KEYS_A_DELETION) {
        await this.#ask('delete', () => this.#connection.commands.unlink(keys.slice(at, at + KEYS_A_DELETION).map((key) => this.#value(key))))
      }
    }
  }

  async beginMove(key: string, token: string, lifeMs: number, version: number): Promise<ShardAnswer<boolean>> {
    const [known, begun] = await this.#change('move', 'swShardBeginMove', key, version, token, lifeMs)
    return { version: known, answer: begun === 1 }
  }

  async finishMove(key: string, token: string, { payload, leftMs }: MovingEntry, version: number): Promise<ShardAnswer<boolean>> {
    const [known, done] = await this.#change('move', 'swShardFinishMove', key, version, token, payload, leftMs)
    return { version: known, answer: done === 1 }
  }

  async peek(key: string): Promise<MovingEntry | undefined> {
    const { commands } = this.#connection
    // Its time first: one that ends in between is gone, and one that is set in between can't be, for who moves it is the only one who may.
    const [leftMs, payload] = await this.#ask('move', () => Promise.all([commands.pttl(this.#value(key)), commands.get(this.#value(key))]))
    return payload === null || leftMs === -2 ? undefined : { payload, leftMs: Math.max(0, leftMs) }
  }

  async readTopology(): Promise<Topology | undefined> {
    return readTopology(await this.#ask('read', () => this.#connection.commands.hget(this.#topology, 'topology')))
  }

  async tellTopology(topology: Topology, after?: number): Promise<Topology | undefined> {
    const known = await this.#run('write', 'swShardTell', this.#version, this.#topology, topology.version, topology.mark, JSON.stringify(topology), after ?? '')
    return readTopology(known as string | null)
  }

  #value(key: string): string {
    return `${this.#prefix}:c:${key}`
  }

  async #change(what: string, script: RedisScript, key: string, version: number, ...args: (string | number)[]): Promise<[number, number]> {
    return (await this.#run(what, script, this.#version, this.#value(key), `${this.#prefix}:m:${key}`, version, ...args)) as [number, number]
  }

  #run(what: string, script: RedisScript, ...args: (string | number)[]): Promise<unknown> {
    return this.#ask(what, () => this.#connection.run(script, ...args))
  }

  async #ask<R>(what: string, request: () => Promise<R>): Promise<R> {
    try {
      return await withDeadline(request, { timeoutMs: this.#timeoutMs, what: `Redis's answer to ${what}` })
    } catch (error) {
      throw redisError(`${what} at ${this.#name}`, error)
    }
  }
}
