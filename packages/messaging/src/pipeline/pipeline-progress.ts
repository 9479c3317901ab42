import type { SliceLedger, SliceScope, SliceState } from '@smart-whale/interfaces'
import type { MessagingTransport } from '../transport.ts'
import { pipelineGroup } from './pipeline-group.ts'
import { stateOf } from './slice-metadata.ts'

/** Where the partitions of pipelines stand, for whoever looks on: any process that reaches the ledger. */
export interface PipelineProgress {
  /** What is known of a partition; null when nothing is. */
  inspect(scope: SliceScope & { readonly topic: string }, options?: { signal?: AbortSignal | undefined }): Promise<SliceState | null>
}

/** Progress as a ledger of its own keeps it. */
export function progressOfLedger(ledger: Pick<SliceLedger, 'inspect'>): PipelineProgress {
  return { inspect: ({ pipeline, topicId, partition }, options) => ledger.inspect({ pipeline, topicId, partition }, options) }
}

/** Progress as the consumer group keeps it beside its offsets, for pipelines without another ledger. That of an earlier topic of the name is none. */
export function progressOfGroup(transport: Pick<MessagingTransport, 'groupLag'>): PipelineProgress {
  const ask = sharedQuestion(transport)
  return {
    inspect: async ({ pipeline, topic, topicId, partition }, options) => {
      const found = (await ask(pipelineGroup(pipeline), topic, options?.signal)).find((lag) => lag.partition === partition)
      return found === undefined || found.committed === null ? null : stateOf({ offset: found.committed, metadata: found.metadata ?? '' }, topicId)
    },
  }
}

type Lags = ReturnType<MessagingTransport['groupLag']>

/** The answer is of all partitions: those that are inspected at the same moment, by the same caller, are asked for once. */
function sharedQuestion(transport: Pick<MessagingTransport, 'groupLag'>): (group: string, topic: string, signal: AbortSignal | undefined) => Lags {
  let asked: { readonly group: string; readonly topic: string; readonly signal: AbortSignal | undefined; readonly answer: Lags } | null = null
  return (group, topic, signal) => {
    if (asked?.group === group && asked.topic === topic && asked.signal === signal) return asked.answer
    const question = { group, topic, signal, answer: transport.groupLag(group, topic, { signal }) }
    asked = question
    queueMicrotask(() => (asked = asked === question ? null : asked))
    return question.answer
  }
}
