import type { MetricsSink } from '@smart-whale/interfaces'

/** What became of a message. */
export type MessageOutcome = 'done' | 'retried' | 'dead_lettered'

/** Counts what one subscription does. */
export interface ConsumptionMetrics {
  handled(outcome: MessageOutcome, messages: number): void
  expired(): void
  took(seconds: number): void
  halted(isHalted: boolean): void
}

/** The metrics of a subscription. Topic and group are as many as an application has. */
export function consumptionMetrics(metrics: MetricsSink, topic: string, groupId: string): ConsumptionMetrics {
  const labels = { topic, group: groupId }
  const labelNames = ['topic', 'group']
  const handled = metrics.counter({ name: 'smart_whale_messages_handled_total', help: 'Messages that were dealt with, by outcome', labelNames: [...labelNames, 'outcome'] })
  const expired = metrics.counter({ name: 'smart_whale_messages_expired_total', help: 'Messages that came when they were of no use any more', labelNames })
  const duration = metrics.histogram({ name: 'smart_whale_message_handler_duration_seconds', help: 'How long one run of a handler took', labelNames })
  const halted = metrics.gauge({ name: 'smart_whale_subscription_halted', help: '1 while a subscription halts because too many messages are bad', labelNames })
  return {
    handled: (outcome, messages) => {
      if (messages > 0) handled.inc({ ...labels, outcome }, messages)
    },
    expired: () => expired.inc(labels),
    took: (seconds) => duration.observe(labels, seconds),
    halted: (isHalted) => halted.set(labels, isHalted ? 1 : 0),
  }
}
