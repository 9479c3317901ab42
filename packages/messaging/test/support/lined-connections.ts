import type { ProxyLine, ToxiproxyClient } from '../../../../tools/services/src/index.ts'
import type { KafkaConnections, KafkaTarget } from '../../src/kafka/kafka-api.ts'

/**
 * Connections that go to each broker over a line of its own, whatever address the cluster tells: what a broker advertises leads past any proxy.
 */
export async function overLines(make: (brokers: string[]) => KafkaConnections, toxiproxy: ToxiproxyClient, brokers: readonly string[]): Promise<{ connections: KafkaConnections; lines: readonly ProxyLine[] }> {
  const lines = await Promise.all(brokers.map((broker) => toxiproxy.createLine(broker)))
  const inner = make(lines.map(({ address }) => address))
  const lineTo = (target: KafkaTarget): KafkaTarget => {
    const line = lines[brokers.indexOf(`${target.host}:${target.port}`)]
    return line === undefined ? target : { host: '127.0.0.1', port: line.port }
  }
  return { connections: { seeds: inner.seeds, request: (node, request) => inner.request(lineTo(node), request), close: () => inner.close() }, lines }
}
