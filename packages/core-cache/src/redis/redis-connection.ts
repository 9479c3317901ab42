import type * as ioredis from 'ioredis'
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import type { Logger } from '@smart-whale/interfaces'
import { redisError } from '../errors.ts'
import type { RedisConfig } from './redis-config.ts'
import { slotOf } from './cluster-slots.ts'
import { REDIS_SCRIPTS, type RedisScript } from './redis-scripts.ts'

type Client = Redis | Cluster
type Drivers = Pick<typeof ioredis, 'Cluster' | 'Redis'>
type ScriptCall = (...args: (string | number)[]) => Promise<unknown>

const LONGEST_PAUSE_MS = 500
const COPIES_TIMEOUT_MS = 1_000
/** A connection that was dropped a moment ago isn't dropped again: it needs time to dial. */
const REDIAL_EVERY_MS = 1_000

/** The two connections to Redis: one for commands, one for messages. Loads ioredis when it is opened. Commands fail at once while it is away. */
export class RedisConnection {
  readonly #config: RedisConfig
  readonly #logger: Logger
  readonly #waitsForFailover: boolean
  #opening: Promise<void> | undefined
  /** Grows when it is closed: who has begun to dial before stops. */
  #closings = 0
  #commands: Client | undefined
  #messages: Client | undefined
  #redialledAtMs = -Infinity
  /** Told when the line to a server that holds data broke. In a cluster nobody is told: there are many, and the client keeps count of them. */
  onBroken: () => void = () => {}

  /** @param waitsForFailover whether requests to a shard that is away wait for its successor; without, they fail at once */
  constructor(config: RedisConfig, logger: Logger, waitsForFailover = true) {
    this.#config = config
    this.#waitsForFailover = waitsForFailover
    this.#logger = logger
  }

  get isCluster(): boolean {
    return this.#config.cluster !== undefined
  }

  /** @throws ConnectionError when it isn't open */
  get commands(): Client {
    if (this.#commands === undefined) throw redisError('be asked', 'the connection is not open')
    return this.#commands
  }

  /** Begins to dial; doesn't wait for a server that isn't there. */
  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<void> {
    const drivers = await this.#drivers()
    if (drivers === undefined) return
    const client = this.#dial(drivers, { enableAutoPipelining: true })
    for (const [name, { keys, lua }] of Object.entries(REDIS_SCRIPTS)) client.defineCommand(name, { numberOfKeys: keys, lua })
    this.#commands = client
    if (!this.isCluster) client.on('close', () => this.onBroken())
    await Promise.race(['ready', 'error', 'close'].map((event) => new Promise((resolve) => client.once(event, resolve))))
  }

  /** Listens on channels from now on, over broken connections as well; what is said meanwhile is lost. */
  async listen(channels: readonly string[], onMessage: (channel: string, message: string) => void): Promise<void> {
    const drivers = await this.#drivers()
    if (drivers === undefined) return
    this.#messages = this.#dial(drivers, { enableOfflineQueue: true, maxRetriesPerRequest: null })
    this.#messages.on('message', onMessage)
    // Resolves when there is a server; until then nobody waits.
    this.#messages.subscribe(...channels).catch((error: unknown) => this.#logger.warn({ error }, 'could not listen to other nodes of the cache'))
  }

  /** Runs a script. */
  run(script: RedisScript, ...args: (string | number)[]): Promise<unknown> {
    return (this.commands as unknown as Record<RedisScript, ScriptCall>)[script](...args)
  }

  /** The server of a cluster that holds a name, as far as the client knows; empty for none. */
  nodeOf(name: string): string {
    return (this.commands as Cluster).slots[slotOf(name)]?.[0] ?? ''
  }

  /** Has a cluster's client ask where the slots are by now. */
  lookForSlots(): Promise<void> {
    const cluster = this.commands as Cluster
    return new Promise((resolve, reject) => cluster.refreshSlotsCache((error) => (error ? reject(redisError('tell its slots', error)) : resolve())))
  }

  /** The servers that hold data. */
  masters(): readonly Redis[] {
    return this.isCluster ? (this.commands as Cluster).nodes('master') : [this.commands as Redis]
  }

  /** Resolves when what this connection has written is on so many copies of each server. @throws ConnectionError when it isn't in time */
  async waitForCopies(copies: number): Promise<void> {
    const made = await Promise.all(this.masters().map((master) => master.wait(copies, COPIES_TIMEOUT_MS)))
    const fewest = Math.min(...made)
    if (!(fewest >= copies)) throw redisError('copy a write', `only ${fewest} of ${copies} replicas have it after ${COPIES_TIMEOUT_MS} ms; bring them back, or lower waitForReplicas`)
  }

  /** Drops connections that don't answer. */
  redial(): void {
    const now = performance.now()
    if (now - this.#redialledAtMs < REDIAL_EVERY_MS) return
    this.#redialledAtMs = now
    for (const client of [this.#commands, this.#messages]) if (client?.status === 'ready') client.disconnect(true)
  }

  close(): void {
    this.#closings += 1
    this.#opening = undefined
    for (const client of [this.#commands, this.#messages]) client?.disconnect()
    this.#commands = undefined
    this.#messages = undefined
  }

  /** What dials; nothing when it was closed while that was loaded. */
  async #drivers(): Promise<Drivers | undefined> {
    const before = this.#closings
    const drivers = await import('ioredis')
    return before === this.#closings ? drivers : undefined
  }

  #dial({ Cluster: ClusterClient, Redis: RedisClient }: Drivers, special: RedisOptions): Client {
    const { url, sentinel, database, cluster } = this.#config
    const options: RedisOptions = { ...this.#options(), ...special, db: database ?? 0 }
    // The driver's types tell replies of two protocols apart; these options leave them as they are.
    let client: Client
    if (cluster !== undefined) client = new ClusterClient([...cluster], this.#clusterOptions(options) as never)
    else if (url !== undefined) client = new RedisClient(url, options as never)
    else client = new RedisClient({ ...options, name: sentinel?.name, sentinels: [...(sentinel?.nodes ?? [])], sentinelRetryStrategy: pauseOf, failoverDetector: true } as never)
    client.on('error', (error: unknown) => this.#logger.debug({ error }, 'Redis connection'))
    return client
  }

  #options(): RedisOptions {
    const { username, password, tls, connectTimeoutMs } = this.#config
    return {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === true ? { tls: {} } : {}),
      connectTimeout: connectTimeoutMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: pauseOf,
      // A server that reads its file says how long that may take, and may be wrong by many seconds.
      maxLoadingRetryTime: LONGEST_PAUSE_MS,
      // A master that has become a replica: the connection is to the wrong one.
      reconnectOnError: (error) => error.message.startsWith('READONLY') && this.#config.url === undefined,
    } as RedisOptions
  }

  #clusterOptions(options: RedisOptions): ClusterOptions {
    return {
      enableAutoPipelining: options.enableAutoPipelining ?? false,
      enableOfflineQueue: options.enableOfflineQueue ?? false,
      clusterRetryStrategy: pauseOf,
      ...(this.#waitsForFailover ? {} : { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 }),
      slotsRefreshTimeout: this.#config.connectTimeoutMs ?? 1_000,
      redisOptions: this.#options(),
    } as ClusterOptions
  }
}

const pauseOf = (attempt: number): number => Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(attempt, 10))
