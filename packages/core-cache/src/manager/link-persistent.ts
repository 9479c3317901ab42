import type { PersistentCache } from '../l3/persistent-cache.ts'
import { PersistentLink } from '../l3/persistent-link.ts'
import { persistentMetrics } from '../l3/persistent-metrics.ts'
import type { NodeLink } from '../shared/node-link.ts'
import type { ManagerSettings } from './manager-options.ts'

/** A node's way to its persistent layer; what it keeps is marked by how far the node has followed the shared one. */
export function linkPersistent(layer: PersistentCache, settings: ManagerSettings, link: NodeLink | undefined): PersistentLink {
  const { clock, logger, persistentTimeoutMs: timeoutMs, persistentOpenTimeoutMs: openTimeoutMs, onPersistentEvent: onEvent, metrics: sink } = settings
  const markNow = link && (() => ({ run: link.run, followed: link.followed, mark: link.mark }))
  return new PersistentLink({ layer, clock, logger, timeoutMs, openTimeoutMs, onEvent, metrics: persistentMetrics(sink), sink, markNow })
}
