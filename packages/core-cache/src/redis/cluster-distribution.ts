import type { Cluster } from 'ioredis'
import type { CacheDistribution } from '../distribution/distributed-cache.ts'
import type { RebalanceReport } from '../distribution/move-entries.ts'
import { optionError, redisError } from '../errors.ts'
import { CacheService } from './cache-service.ts'

const SLOTS = 16_384
const NOTHING_MOVED: RebalanceReport = { moved: 0, strays: 0 }

/** A distribution over a Redis Cluster, which places and moves the entries by itself. */
export class ClusterDistribution extends CacheService implements CacheDistribution {
  distribute(keys: Iterable<string>): ReadonlyMap<string, readonly string[]> {
    const byNode = new Map<string, string[]>()
    const { slots } = this.connection.commands as Cluster
    for (const key of keys) {
      const node = slots[slotOf(this.nameOf(key))]?.[0] ?? ''
      const keysThere = byNode.get(node)
      if (keysThere === undefined) byNode.set(node, [key])
      else keysThere.push(key)
    }
    return byNode
  }

  /** @throws ConfigurationError always: a cluster is given slots by its own tools, and moves their entries while it is read */
  async rebalance(nodes: readonly string[]): Promise<RebalanceReport> {
    throw optionError('nodes', nodes.length, 'left to the cluster, which moves its slots by itself: redis-cli --cluster rebalance, then sync()')
  }

  /** Learns where the slots are by now. */
  async sync(): Promise<RebalanceReport> {
    const cluster = this.connection.commands as Cluster
    await new Promise<void>((resolve, reject) => cluster.refreshSlotsCache((error) => (error ? reject(redisError('tell its slots', error)) : resolve())))
    return NOTHING_MOVED
  }
}

/** CRC16 (XMODEM) of a key, or of what stands in its first braces. */
function slotOf(name: string): number {
  const open = name.indexOf('{')
  const close = open < 0 ? -1 : name.indexOf('}', open + 1)
  const hashed = close > open + 1 ? name.slice(open + 1, close) : name
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ 0x1021) & 0xffff
  }
  return crc % SLOTS
}
