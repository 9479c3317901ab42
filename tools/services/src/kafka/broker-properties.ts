import { join } from 'node:path'
import { PROTOCOLS, type SecuredListener } from './security.ts'

/** Where one node listens. */
export interface NodePorts {
  readonly plain: number
  readonly controller: number
  readonly secured: Readonly<Partial<Record<SecuredListener, number>>>
}

/** What one broker is configured by. */
export interface BrokerPlan {
  readonly id: number
  /** Ports of every node; node ids count from 1. */
  readonly ports: readonly NodePorts[]
  readonly dataDir: string
  /** Settings that win over ours. */
  readonly settings: Readonly<Record<string, string | number | boolean>>
  /** Settings that the secured listeners need. */
  readonly security: Readonly<Record<string, string>>
}

/** Renders the broker's `server.properties`. */
export function renderBrokerProperties(plan: BrokerPlan): string {
  return Object.entries({ ...propertiesOf(plan), ...plan.security, ...plan.settings })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function propertiesOf({ id, ports, dataDir }: BrokerPlan): Record<string, string | number> {
  const { plain, controller, secured } = ports[id - 1] as NodePorts
  const offered = Object.entries(secured).map(([listener, port]) => [PROTOCOLS[listener as SecuredListener], port] as const)
  const clients = Object.fromEntries<number>([['PLAINTEXT', plain], ...offered])
  const listeners = Object.entries(clients).map(([name, port]) => `${name}://127.0.0.1:${port}`)
  const copies = Math.min(3, ports.length)
  const minInSync = ports.length >= 3 ? 2 : 1
  return {
    'process.roles': 'broker,controller',
    'node.id': id,
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': listeners.join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': ['CONTROLLER:PLAINTEXT', ...Object.keys(clients).map((name) => `${name}:${name}`)].join(','),
    'controller.quorum.voters': ports.map((node, index) => `${index + 1}@127.0.0.1:${node.controller}`).join(','),
    'log.dirs': join(dataDir, 'log'),
    ...replication(copies, minInSync),
    ...quickForTests(),
  }
}

function replication(copies: number, minInSync: number): Record<string, number> {
  return {
    'default.replication.factor': copies,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': 5,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': minInSync,
    'transaction.state.log.num.partitions': 5,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': minInSync,
    'share.coordinator.state.topic.num.partitions': 3,
  }
}

/** What would make a test wait, or take memory, for the sake of hundreds of clients. */
function quickForTests(): Record<string, number> {
  return {
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': MIN_SESSION_TIMEOUT_MS,
    // A broker that was killed is let back in when its old session has run out.
    'broker.session.timeout.ms': 4_000,
    'broker.heartbeat.interval.ms': 500,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
    // 10 MB for each of two indexes of each partition otherwise: space that is written anew in each recovery.
    'log.index.size.max.bytes': 1_048_576,
  }
}

/** The shortest session timeout that the brokers let a group member have. */
export const MIN_SESSION_TIMEOUT_MS = 1_000
