import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { sealValue } from '../codec/value-payload.ts'
import { seededFractions } from '../l1/synthetic-traces.ts'
import { DistributedCache } from './distributed-cache.ts'
import { MemoryShard } from './memory-shard.ts'
import { ownerOf } from './rendezvous.ts'

const NODES = ['a', 'b', 'c', 'd', 'e']
const PROCESSES = 3
const USERS = 6
const KEYS_A_USER = 3
const STEPS = 60
const HISTORIES = 100

/** Users who read, write and delete keys of their own in any process, while any process changes the list of nodes, gives that up half-way, or goes on with it. */
class History {
  readonly clock = new FakeClock()
  readonly wrong: string[] = []
  readonly failures: unknown[] = []
  rebalancings = 0
  givenUp = 0
  reads = 0
  readonly #fraction: () => number
  readonly #shards = new Map(NODES.map((name) => [name, new MemoryShard()]))
  readonly #processes: DistributedCache[]
  readonly #rebalancers: number
  #isRunning = true

  constructor(seed: number, rebalancers: number) {
    this.#fraction = seededFractions(seed)
    this.#rebalancers = rebalancers
    // What nodes that aren't part of it yet hold from an earlier time.
    for (const name of NODES.slice(2)) {
      for (let key = 0; key < USERS * KEYS_A_USER; key++) this.#shards.get(name)?.entries.set(`${Math.floor(key / KEYS_A_USER)}:${key % KEYS_A_USER}`, sealValue('ancient'))
    }
    const carry = (): Promise<void> => new Promise((resolve) => this.clock.setTimeout(resolve, this.#upTo(12)))
    const shardFor = (name: string) => (this.#shards.get(name) as MemoryShard).seenBy(carry)
    this.#processes = Array.from({ length: PROCESSES }, () => new DistributedCache({ nodes: ['a', 'b'], shardFor, defaultLifeMs: 0 }))
  }

  async play(): Promise<void> {
    const work = [...Array.from({ length: USERS }, (_, user) => this.#use(user)), ...Array.from({ length: this.#rebalancers }, () => this.#rebalance())]
    for (let step = 0; step < STEPS; step++) await this.clock.advance(40)
    this.#isRunning = false
    let isDone = false
    const all = Promise.all(work).then(() => (isDone = true))
    while (!isDone) await this.clock.advance(40)
    await all
  }

  async #use(user: number): Promise<void> {
    const expected = new Map<string, number>()
    for (let turn = 1; this.#isRunning; turn++) {
      const key = `${user}:${this.#upTo(KEYS_A_USER)}`
      const cache = this.#anyProcess()
      try {
        const dice = this.#fraction()
        if (dice < 0.5) this.#check(key, await cache.get<number>(key), expected.get(key))
        else if (dice < 0.9) {
          await cache.set(key, turn)
          expected.set(key, turn)
        } else {
          await cache.delete(key)
          expected.delete(key)
        }
      } catch (error) {
        this.failures.push(error)
      }
    }
  }

  /** A miss is allowed where two processes change the list at the same time; anything old is not. */
  #check(key: string, found: number | undefined, expected: number | undefined): void {
    this.reads += 1
    if (found !== expected && (found !== undefined || this.#rebalancers === 1)) this.wrong.push(`${key}: ${found} instead of ${expected}`)
  }

  async #rebalance(): Promise<void> {
    while (this.#isRunning) {
      const nodes = NODES.filter(() => this.#fraction() < 0.5)
      const giveUp = new AbortController()
      if (this.#fraction() < 0.3) this.clock.setTimeout(() => giveUp.abort(), this.#upTo(200))
      try {
        await (nodes.length === 0 ? this.#anyProcess().sync() : this.#anyProcess().rebalance(nodes, { signal: giveUp.signal }))
        this.rebalancings += 1
      } catch (error) {
        if ((error as { readonly code?: unknown }).code === 'ERR_CACHE_REBALANCE') this.givenUp += 1
        else this.failures.push(error)
      }
      await new Promise<void>((resolve) => this.clock.setTimeout(resolve, this.#upTo(100)))
    }
  }

  #anyProcess(): DistributedCache {
    return this.#processes[this.#upTo(PROCESSES)] as DistributedCache
  }

  #upTo(most: number): number {
    return Math.floor(this.#fraction() * most)
  }
}

describe('A distribution whose list of nodes changes all the time, in any process', () => {
  it.each([
    ['by one process at a time, answers with what was written last', 1],
    ['by two at the same time, never answers with what was replaced or deleted', 2],
  ])('%s', async (_name, rebalancers) => {
    const sum = { reads: 0, rebalancings: 0, givenUp: 0 }
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const history = new History(seed, rebalancers)
      await history.play()
      expect({ seed, wrong: history.wrong, failures: history.failures }).toEqual({ seed, wrong: [], failures: [] })
      for (const name of ['reads', 'rebalancings', 'givenUp'] as const) sum[name] += history[name]
    }
    expect(sum.reads).toBeGreaterThan(HISTORIES * 50)
    expect(sum.rebalancings).toBeGreaterThan(HISTORIES)
    expect(sum.givenUp).toBeGreaterThan(HISTORIES / 8)
  })
})

describe('The owner of a key', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => `key:${index}`)

  it('is each node as often, whatever the order of the list', () => {
    const counts = new Map<string, number>()
    for (const key of keys) counts.set(ownerOf(NODES, key), (counts.get(ownerOf(NODES, key)) ?? 0) + 1)

    for (const count of counts.values()) expect(count / keys.length).toBeCloseTo(1 / NODES.length, 1)
    expect(keys.every((key) => ownerOf(NODES, key) === ownerOf([...NODES].reverse(), key))).toBe(true)
  })

  it('is another one for a node’s share alone when that node goes', () => {
    const moved = keys.filter((key) => ownerOf(NODES, key) !== ownerOf(NODES.slice(1), key))

    expect(moved.every((key) => ownerOf(NODES, key) === 'a')).toBe(true)
    expect(moved.length / keys.length).toBeCloseTo(1 / NODES.length, 1)
  })

  it('stays what it is: other processes may be of another version', () => {
    expect(keys.slice(0, 12).map((key) => ownerOf(['10.0.0.1:6379', '10.0.0.2:6379', '10.0.0.3:6379'], key).slice(7, 8)).join('')).toMatchInlineSnapshot(`"322223113312"`)
  })
})

describe('A list of nodes', () => {
  const shardFor = () => new MemoryShard().seenBy(async () => {})

  it.each([
    ['nodes', () => new DistributedCache({ nodes: [], shardFor, defaultLifeMs: 0 })],
    ['nodes', () => new DistributedCache({ nodes: ['a', 'a'], shardFor, defaultLifeMs: 0 })],
  ])('that is empty or names one twice is refused: %s', (option, make) => {
    expect(make).toThrow(expect.objectContaining({ context: { option } }))
  })

  it('can’t lose a node that is to hold entries', async () => {
    await expect(new DistributedCache({ nodes: ['a'], shardFor, defaultLifeMs: 0 }).rebalance(['a', 'b'], { lost: ['a'] })).rejects.toMatchObject({ context: { option: 'lost' } })
  })
})
