import { InfrastructureError } from '@smart-whale/interfaces'
import { outsideOfCalls, sleep } from '@smart-whale/core-resilience'
import { messagingError } from '../../errors.ts'
import { BROKER, brokerError, isLeadershipError } from '../broker-errors.ts'
import type { FetchedPartition, FetchRequestPartition, KafkaNode } from '../kafka-api.ts'
import { giveBack } from '../own-memory.ts'
import type { KafkaClient } from './kafka-client.ts'
import type { Fetching, PartitionFeed } from './partition-feed.ts'
import { topicReplaced } from './topic-replaced.ts'

/**
 * Two connections to each broker. One may wait there for records to come; a partition that is asked for meanwhile goes over the
 * other, which never waits for long.
 */
type Channel = 'waiting' | 'passing'
const PASSING_WAIT_MS = 20
/** What all partitions together hold before those that hold something are fetched ahead no more. */
const MOST_BYTES_AHEAD = 4 * 1024 * 1024
/** After a failure, so that a broker that is away isn't asked without end. */
const PAUSE_MS = 100

/** A partition in a request: a broker wants each there once. Readers of two groups, or of none, may wait for the same offset. */
interface Asked {
  readonly topic: PartitionFeed['topic']
  readonly partition: number
  readonly from: bigint
  readonly leaderEpoch: number
  readonly readers: { readonly feed: PartitionFeed; readonly fetching: Fetching }[]
}

/** Fetches for all readers of a transport: each broker is asked for all partitions that it leads and somebody wants, in one request. */
export class Fetcher {
  readonly #client: KafkaClient
  readonly #feeds = new Set<PartitionFeed>()
  readonly #busy = new Set<string>()
  readonly #lookingUp = new Set<string>()
  /** Grows with each fetch, so that the partitions take turns in being the first. */
  #turn = 0

  constructor(client: KafkaClient) {
    this.#client = client
  }

  add(feed: PartitionFeed): void {
    this.#feeds.add(feed)
  }

  remove(feed: PartitionFeed): void {
    this.#feeds.delete(feed)
    feed.close()
  }

  /** Sees to it that every feed that wants records is in a fetch, or will be. */
  schedule(): void {
    if (this.#client.closing.aborted) return
    const nodes = new Map<number, KafkaNode>()
    const isFull = this.#isFull()
    for (const feed of this.#feeds) {
      if (!isWanting(feed, isFull)) continue
      const leader = this.#leaderOf(feed)
      if (leader === undefined) void outsideOfCalls(() => this.#lookUp(feed.topic.name))
      else nodes.set(leader.node.nodeId, leader.node)
    }
    for (const node of nodes.values()) {
      const channel = this.#freeChannel(node)
      if (channel !== null) void outsideOfCalls(() => this.#fetchFrom(node, channel))
    }
  }

  /** The one that waits is begun only when the other is at rest: what went over that one in vain then waits as well. */
  #freeChannel({ nodeId }: KafkaNode): Channel | null {
    if (this.#busy.has(`${nodeId}/passing`)) return null
    return this.#busy.has(`${nodeId}/waiting`) ? 'passing' : 'waiting'
  }

  async #fetchFrom(node: KafkaNode, channel: Channel): Promise<void> {
    const slot = `${node.nodeId}/${channel}`
    this.#busy.add(slot)
    // Whatever is asked for in this turn goes into the same request.
    await Promise.resolve()
    const asked = this.#hungryOf(node)
    // Who is at another place of a partition that is in this request already goes over the other connection.
    this.schedule()
    try {
      const isServed = asked.length === 0 || this.#distribute(asked, await this.#ask(node, channel, asked))
      // What is refused is refused at once, and who leads now may not be known to whoever is asked: not at once again.
      if (!isServed) await this.#pause()
    } catch (error) {
      await this.#afterFailure(node, asked, error)
    } finally {
      for (const { readers } of asked) for (const { feed, fetching } of readers) feed.endFetch(fetching)
      this.#busy.delete(slot)
      this.schedule()
    }
  }

  #hungryOf(node: KafkaNode): Asked[] {
    const asked = new Map<string, Asked>()
    const isFull = this.#isFull()
    for (const feed of this.#inTurn()) {
      const leader = isWanting(feed, isFull) ? this.#leaderOf(feed) : undefined
      if (leader?.node.nodeId !== node.nodeId) continue
      const { topic, partition, fetchOffset: from } = feed
      const key = `${topic.id}/${partition}`
      const same = asked.get(key)
      if (same === undefined) asked.set(key, { topic, partition, from, leaderEpoch: leader.epoch, readers: [{ feed, fetching: feed.beginFetch() }] })
      else if (same.from === from) same.readers.push({ feed, fetching: feed.beginFetch() })
    }
    return [...asked.values()]
  }

  #isFull(): boolean {
    let held = 0
    for (const feed of this.#feeds) held += feed.heldBytes
    return held >= MOST_BYTES_AHEAD
  }

  /** The first partitions of a request fill the answer first. */
  #inTurn(): readonly PartitionFeed[] {
    const feeds = [...this.#feeds]
    const first = this.#turn++ % Math.max(1, feeds.length)
    return [...feeds.slice(first), ...feeds.slice(0, first)]
  }

  async #ask(node: KafkaNode, channel: Channel, asked: readonly Asked[]): Promise<readonly FetchedPartition[]> {
    const { api, settings, closing } = this.#client
    const partitions = asked.map(
      ({ topic, partition, from, leaderEpoch }): FetchRequestPartition => ({
        topicId: topic.id,
        partition,
        leaderEpoch,
        fetchOffset: from,
        maxBytes: settings.maxPartitionFetchBytes,
      }),
    )
    const maxWaitMs = channel === 'waiting' ? settings.fetchMaxWaitMs : Math.min(PASSING_WAIT_MS, settings.fetchMaxWaitMs)
    const timeoutMs = settings.requestTimeoutMs + maxWaitMs
    const answer = await api.fetch(node, { maxWaitMs, minBytes: 1, maxBytes: settings.maxFetchBytes, partitions }, { signal: closing, timeoutMs, channel })
    if (answer.errorCode !== BROKER.NONE) throw brokerError(answer.errorCode, `fetching from broker ${node.nodeId}`)
    return answer.partitions
  }

  /** Hands on what came; false when the broker refused one of the partitions, for now. */
  #distribute(asked: readonly Asked[], partitions: readonly FetchedPartition[]): boolean {
    let isServed = true
    const [owner] = partitions.filter(isMostOfAnswer)
    for (const fetched of partitions) {
      const found = asked.find(({ topic, partition }) => partition === fetched.partition && topic.id === fetched.topicId)
      if (found === undefined) continue
      for (const { feed } of found.readers) {
        if (fetched.errorCode === BROKER.NONE) feed.accept(fetched, found.from, fetched === owner && found.readers.length === 1)
        else if (!this.#refused(feed, fetched.errorCode, found.from)) isServed = false
      }
    }
    const [first] = partitions
    if (owner === undefined && first !== undefined) giveBack(first.records)
    return isServed
  }

  /** Says so to who reads, when that is the end of it; false when it may pass. */
  #refused(feed: PartitionFeed, errorCode: number, from: bigint): boolean {
    const { name } = feed.topic
    if (isLeadershipError(errorCode)) {
      this.#client.view.doubt(name)
      return false
    }
    const error = errorCode === BROKER.OFFSET_OUT_OF_RANGE ? outOfRange(feed, from) : brokerError(errorCode, `reading partition ${feed.partition} of topic "${name}"`)
    if (error.retryable) return false
    feed.fail(error, from)
    return true
  }

  async #afterFailure(node: KafkaNode, asked: readonly Asked[], error: unknown): Promise<void> {
    const { view, closing, settings } = this.#client
    if (closing.aborted) return
    if (!(InfrastructureError.isInstance(error) && error.retryable)) {
      for (const { readers, from } of asked) for (const { feed } of readers) feed.fail(error, from)
      return
    }
    settings.logger.debug({ err: error, broker: node.nodeId }, 'a fetch failed; the leaders are asked for anew')
    view.avoid(node)
    for (const { topic } of asked) view.doubt(topic.name)
    await this.#pause()
  }

  async #pause(): Promise<void> {
    await sleep(PAUSE_MS, { clock: this.#client.clock, signal: this.#client.closing }).catch(() => {})
  }

  #leaderOf(feed: PartitionFeed): { readonly node: KafkaNode; readonly epoch: number } | undefined {
    const { view } = this.#client
    return view.known(feed.topic.name)?.id === feed.topic.id ? view.leader(feed.topic.name, feed.partition) : undefined
  }

  #feedsOf(name: string): PartitionFeed[] {
    return [...this.#feeds].filter(({ topic }) => topic.name === name)
  }

  /** Asks who leads the topic's partitions; its readers learn it when the topic is gone, or another one has its name. */
  async #lookUp(name: string): Promise<void> {
    if (this.#lookingUp.has(name)) return
    this.#lookingUp.add(name)
    const { view, closing } = this.#client
    try {
      const topic = await view.refresh(name, closing)
      const feeds = this.#feedsOf(name)
      for (const feed of feeds) if (feed.topic.id !== topic.id) feed.fail(topicReplaced(name, feed.topic.id, topic.id), feed.fetchOffset)
      // A partition may have no leader for a while.
      const isLed = feeds.every((feed) => !feed.isHungry || this.#leaderOf(feed) !== undefined)
      if (!isLed) await this.#pause()
    } catch (error) {
      if (closing.aborted) return
      const isFinal = !(InfrastructureError.isInstance(error) && error.retryable)
      if (isFinal) for (const feed of this.#feedsOf(name)) feed.fail(error, feed.fetchOffset)
      await this.#pause()
    } finally {
      this.#lookingUp.delete(name)
      this.schedule()
    }
  }
}

/** Whether a feed belongs into the next fetch: where much is held already, only when it holds nothing itself. */
function isWanting(feed: PartitionFeed, isFull: boolean): boolean {
  return feed.isHungry && !(isFull && feed.heldBytes > 0)
}

/** Held on its own, a small part of an answer would hold the whole of it. */
function isMostOfAnswer({ records }: FetchedPartition): boolean {
  return records.length * 2 >= records.buffer.byteLength
}

function outOfRange({ topic, partition }: PartitionFeed, offset: bigint): InfrastructureError {
  const message = `partition ${partition} of topic "${topic.name}" has no offset ${offset}: it was removed by retention, or is not there yet; seek to one within bounds()`
  return messagingError('ERR_MESSAGING_OFFSET_OUT_OF_RANGE', message, { context: { topic: topic.name, partition, offset: String(offset) } })
}
