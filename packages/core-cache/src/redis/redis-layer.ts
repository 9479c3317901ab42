import type { Redis } from 'ioredis'
import { compileGlob, type Logger, silentLogger } from '@smart-whale/interfaces'
import { TOKEN_LENGTH, TOKEN_START } from '../codec/envelope.ts'
import { optionError } from '../errors.ts'
import { newToken } from '../manager/load-token.ts'
import { LEASE_MS } from '../shared/lease-times.ts'
import type { ClaimReply, ClaimRequest, Invalidation, RecordedInvalidation, RecordReply, RegisteredNode, Renewal, RenewalReply, SharedCache, SharedListener } from '../shared/shared-cache.ts'
import { RecentInvalidations } from '../shared/recent-invalidations.ts'
import { GetBatch } from './get-batch.ts'
import { checkRedisConfig, type RedisConfig } from './redis-config.ts'
import { RedisConnection } from './redis-connection.ts'
import { RedisKeys } from './redis-keys.ts'
import { scanKeysOf } from './scan-keys.ts'
import { ShardHealth } from './shard-health.ts'

const MOST_LOGGED = 1_000
/** Tags that are remembered; above it everything is invalidated once, and remembering begins anew. */
const MOST_FIELDS = 200_000
/** A run is young for two leases, in Redis's whole seconds and rather too long. */
const YOUNG_SECONDS = Math.ceil((2 * LEASE_MS) / 1000) + 1
/** Invalidations that a node which begins, or was away for long, is told of: they matter where a shard brings back what it had lost. */
const MOST_TOLD = 100

/** What a layer on Redis may be told besides where it is. */
export interface RedisLayerOptions {
  /** Told of broken connections. @default silentLogger */
  logger?: Logger | undefined
  /** How long one shard of a cluster may take before it alone is left alone until it answers again; below the manager's `sharedTimeoutMs`. @default 80 */
  shardTimeoutMs?: number | undefined
}

/** The shared layer on Redis. */
class RedisLayer implements SharedCache {
  readonly #connection: RedisConnection
  /** Another one where writes wait for copies: nothing else is to stand behind these waits. */
  readonly #writes: RedisConnection
  readonly #keys: RedisKeys
  readonly #gets: GetBatch
  readonly #waitForReplicas: number
  readonly #recent = new RecentInvalidations()
  /** In a cluster. */
  readonly #health: ShardHealth | undefined
  #listener: SharedListener | undefined
  #node = ''

  constructor(config: RedisConfig, { logger = silentLogger, shardTimeoutMs = 80 }: RedisLayerOptions) {
    if (!(shardTimeoutMs >= 1)) throw optionError('shardTimeoutMs', shardTimeoutMs, 'a number of milliseconds, 1 or more')
    const checked = checkRedisConfig(config)
    this.#connection = new RedisConnection(checked, logger, false)
    this.#health = this.#connection.isCluster ? new ShardHealth(shardTimeoutMs) : undefined
    this.#keys = new RedisKeys(checked.prefix ?? '')
    this.#gets = new GetBatch(this.#connection)
    this.#waitForReplicas = checked.waitForReplicas ?? 0
    this.#writes = this.#waitForReplicas === 0 ? this.#connection : new RedisConnection(checked, logger)
  }

  async connect(listener: SharedListener): Promise<void> {
    this.#listener = listener
    this.#connection.onBroken = () => listener.onBroken()
    await Promise.all([...new Set([this.#connection, this.#writes])].map((connection) => connection.open()))
  }

  async disconnect(): Promise<void> {
    this.#connection.onBroken = () => {}
    this.#health?.close()
    for (const connection of [this.#connection, this.#writes]) connection.close()
    this.#node = ''
  }

  redial(): void {
    for (const connection of new Set([this.#connection, this.#writes])) connection.redial()
  }

  read(key: string): Promise<string | undefined> {
    if (this.#health === undefined) return this.#gets.get(this.#keys.value(key))
    return this.#ofShard(key, () => this.#gets.get(this.#keys.value(key))).then((payload) => (payload === undefined || this.#wasBroughtBack(key, payload) ? undefined : payload))
  }

  async tagNumbers(tags: readonly string[]): Promise<{ readonly run: string; readonly numbers: readonly number[] }> {
    const [run, ...numbers] = await this.#connection.commands.hmget(this.#keys.coordination, 'run', ...tags.map((tag) => `t:${tag}`))
    return { run: run ?? '', numbers: numbers.map((number, index) => Math.max(Number(number), this.#recent.newestOfTag(run ?? '', tags[index] as string))) }
  }

  async claim(request: ClaimRequest): Promise<ClaimReply> {
    const reply = await this.#claim(request)
    if (reply.kind !== 'value' || !this.#wasBroughtBack(request.key, reply.payload)) return reply
    return this.#claim({ ...request, unusable: reply.payload.slice(TOKEN_START, TOKEN_START + TOKEN_LENGTH) })
  }

  async #claim({ key, token, lifeMs, unusable, waitedFor }: ClaimRequest): Promise<ClaimReply> {
    const reply = await this.#ofShard(key, () => this.#connection.run('swCacheClaim', ...this.#keys.all(key), token, lifeMs, unusable, waitedFor, TOKEN_START, TOKEN_START + TOKEN_LENGTH - 1))
    const [kind, first, second] = reply as [ClaimReply['kind'], string, string | number]
    if (kind === 'value') return { kind, payload: first }
    if (kind === 'busy') return { kind, holder: first, leftMs: Number(second) }
    if (kind === 'failed') return { kind, holder: first, failure: String(second) }
    return { kind: 'granted' }
  }

  async prolong(key: string, token: string, lifeMs: number): Promise<boolean> {
    return (await this.#ofShard(key, () => this.#connection.run('swCacheProlong', this.#keys.token(key), token, lifeMs))) === 1
  }

  async fill(key: string, token: string, payload: string, lifeMs: number): Promise<boolean> {
    return (await this.#ofShard(key, () => this.#connection.run('swCacheFill', ...this.#keys.all(key), token, payload, lifeMs, this.#keys.settled, key))) === 1
  }

  async giveUp(key: string, token: string, failure: string | undefined, failureMs: number): Promise<void> {
    await this.#ofShard(key, () => this.#connection.run('swCacheGiveUp', ...this.#keys.all(key), token, failure ?? '', failureMs, this.#keys.settled, key))
  }

  async remove(keys: readonly string[]): Promise<void> {
    const { commands } = this.#writes
    await Promise.all(keys.map((key) => commands.del(this.#keys.value(key), this.#keys.token(key))))
  }

  /** The tokens of loads under way first, then the values: one that is stored while the tokens are gone through may stand where nobody looks any more. */
  async removeMatching(pattern: string): Promise<void> {
    const matches = compileGlob(pattern)
    for (const names of [this.#keys.allTokens, this.#keys.allValues]) {
      for (const master of this.#writes.masters()) await this.#removeFrom(master, names, matches)
    }
  }

  async #removeFrom(master: Redis, pattern: string, matches: (key: string) => boolean): Promise<void> {
    for await (const names of scanKeysOf(master, pattern)) {
      const found = names.filter((name) => {
        const key = this.#keys.keyOf(name)
        return key !== undefined && matches(key)
      })
      await Promise.all(found.map((name) => this.#writes.commands.del(name)))
    }
  }

  async renew({ node, run, followed, mark, tell }: Renewal): Promise<RenewalReply> {
    await this.#listenFor(node)
    const reply = await this.#connection.run('swCacheRenew', this.#keys.coordination, newToken(), this.#areServersToldApart, this.#keys.followed, node, run, followed, mark, MOST_TOLD, ...tell)
    const [current, newest, newestMark, isSame, messages] = reply as [string, number, string, number, string[]]
    const told = messages.map(readMessage).filter((recorded) => recorded !== undefined)
    if (this.#connection.isCluster) this.#recent.begin(current, told)
    return { run: current, newest, mark: newestMark, missed: isSame === 1 ? told : undefined }
  }

  async record(origin: string, invalidation: Invalidation): Promise<RecordReply> {
    const all = invalidation.all === true ? 1 : 0
    const payload = JSON.stringify(invalidation)
    const args = [newToken(), this.#areServersToldApart, this.#keys.invalidations, origin, payload, all, MOST_LOGGED, MOST_FIELDS, YOUNG_SECONDS, ...(invalidation.tags ?? [])]
    const [run, number, isYoung, flat] = (await this.#writes.run('swCacheRecord', this.#keys.coordination, ...args)) as [string, number, number, (string | number)[]]
    // What was deleted before it is copied as well then: copies are made in order.
    if (this.#waitForReplicas > 0) await this.#writes.waitForCopies(this.#waitForReplicas)
    const nodes: RegisteredNode[] = []
    for (let at = 0; at < flat.length; at += 3) nodes.push({ node: String(flat[at]), followed: Number(flat[at + 1]), renewals: Number(flat[at + 2]) })
    return { run, number, nodes, isYoung: isYoung === 1 }
  }

  async strike(run: string, nodes: readonly RegisteredNode[]): Promise<void> {
    await this.#connection.run('swCacheStrike', this.#keys.coordination, run, ...nodes.flatMap(({ node, renewals }) => [node, renewals]))
  }

  /** Where invalidations wait for copies, a failover loses none, and the values may stay. */
  get #areServersToldApart(): 0 | 1 {
    return this.#waitForReplicas === 0 ? 1 : 0
  }

  /** A request about one key: in a cluster, a shard that doesn't answer is left alone, and the others go on. */
  async #ofShard<T>(key: string, request: () => Promise<T>): Promise<T> {
    if (this.#health === undefined) return request()
    const name = this.#keys.value(key)
    const probe = async (): Promise<void> => {
      await this.#connection.lookForSlots()
      await this.#connection.commands.exists(name)
    }
    return this.#health.ask(this.#connection.nodeOf(name), request, probe)
  }

  /** Whether a shard gave out what was invalidated before: a failover lost its deletion, which the coordination, in another shard, can't know of. */
  #wasBroughtBack(key: string, payload: string): boolean {
    return this.#connection.isCluster && this.#recent.areNewerThan(key, payload)
  }

  async #listenFor(node: string): Promise<void> {
    if (this.#node === node) return
    this.#node = node
    const mine = this.#keys.followed + node
    await this.#connection.listen([this.#keys.invalidations, this.#keys.settled, mine], (channel, message) => {
      if (channel === this.#keys.settled) return this.#listener?.onSettled(message)
      if (channel === mine) return this.#tellFollowed(message)
      const recorded = readMessage(message)
      if (recorded === undefined) return
      this.#recent.note(recorded)
      this.#listener?.onInvalidation(recorded)
    })
  }

  #tellFollowed(message: string): void {
    const [node = '', run = '', followed = ''] = message.split(' ')
    this.#listener?.onFollowed(node, run, Number(followed))
  }
}

/** A layer on Redis for a `CacheManager`. */
export function createRedisLayer(config: RedisConfig, options: RedisLayerOptions = {}): SharedCache {
  return new RedisLayer(config, options)
}

/** `run number mark origin invalidation`; `undefined` for what isn't one: the gap is then noticed, and everything forgotten. */
function readMessage(message: string): RecordedInvalidation | undefined {
  const [run = '', number = '', mark = '', origin = ''] = message.split(' ', 4)
  try {
    return { run, number: Number(number), mark, origin, invalidation: JSON.parse(message.slice(run.length + number.length + mark.length + origin.length + 4)) as Invalidation }
  } catch {
    return undefined
  }
}
