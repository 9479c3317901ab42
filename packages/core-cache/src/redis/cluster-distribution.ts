import type { CacheDistribution } from '../distribution/distributed-cache.ts'
import type { RebalanceReport } from '../distribution/move-entries.ts'
import { optionError } from '../errors.ts'
import { CacheService } from './cache-service.ts'

const NOTHING_MOVED: RebalanceReport = { moved: 0, strays: 0 }

/** A distribution over a Redis Cluster, which places and moves the entries by itself. */
export class ClusterDistribution extends CacheService implements CacheDistribution {
  distribute(keys: Iterable<string>): ReadonlyMap<string, readonly string[]> {
    const byNode = new Map<string, string[]>()
    for (const key of keys) {
      const node = this.connection.nodeOf(this.nameOf(key))
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
    await this.connection.lookForSlots()
    return NOTHING_MOVED
  }
}
