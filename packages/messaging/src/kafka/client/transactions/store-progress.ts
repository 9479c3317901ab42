import type { InfrastructureError } from '@smart-whale/interfaces'
import { BROKER, brokerError } from '../../broker-errors.ts'
import type { GroupRight, KafkaRequestOptions, PartitionError, ProgressInTransaction, TransactionRight } from '../../kafka-api.ts'
import { GroupCoordinator } from '../group-coordinator.ts'
import type { KafkaClient } from '../kafka-client.ts'
import type { ProgressRight } from '../kafka-partition-reader.ts'

/** Progress of one group, as part of a transaction. */
export interface GroupProgress {
  readonly groupId: string
  readonly offsets: readonly (ProgressInTransaction & { readonly right: ProgressRight })[]
}

/** How it is stored. */
export interface StoreProgressOptions extends Omit<KafkaRequestOptions, 'signal'> {
  /** Ends the attempts. @default none, required */
  readonly signal: AbortSignal
  /** What each request goes through. @default none, required */
  ask<T>(request: Promise<T>): Promise<T>
}

/** The group has gone on to another generation, with or without this member. */
const OTHER_GENERATION = new Set<number>([BROKER.ILLEGAL_GENERATION, BROKER.UNKNOWN_MEMBER_ID, BROKER.FENCED_INSTANCE_ID])

/**
 * Has a group's progress stored as part of a transaction. Before each attempt it is asked whether the partitions are still held: between two
 * generations of a member that stays it is repeated under its new right.
 *
 * @throws OperationError `ERR_MESSAGING_FENCED` when one of the partitions is another member's
 */
export async function storeProgress(client: KafkaClient, transaction: TransactionRight, { groupId, offsets }: GroupProgress, { ask, ...options }: StoreProgressOptions): Promise<PartitionError | null> {
  const coordinator = new GroupCoordinator(client, groupId)
  const what = `storing the progress of group "${groupId}" in a transaction`
  return client.retry.execute(
    async () => {
      let partitions: readonly PartitionError[] = []
      const right = rightOf(offsets, what)
      await coordinator.ask(options.signal, async (target) => {
        partitions = await ask(client.api.transactionOffsetCommit(target, { ...transaction, ...right, offsets }, options))
        return { errorCode: partitions.find(({ errorCode }) => errorCode !== BROKER.NONE)?.errorCode ?? BROKER.NONE }
      })
      const refused = partitions.find(({ errorCode }) => errorCode !== BROKER.NONE) ?? null
      if (refused === null || !OTHER_GENERATION.has(refused.errorCode)) return refused
      rightOf(offsets, what)
      throw between(what)
    },
    { signal: options.signal },
  )
}

/** A member without a generation would be taken for one that needs none: it has to wait. */
function rightOf(offsets: GroupProgress['offsets'], what: string): GroupRight {
  const rights = offsets.map(({ right }) => right.current())
  const right = rights[0] ?? null
  if (right === null || rights.some((other) => other?.memberId !== right.memberId)) throw between(what)
  return right
}

const between = (what: string): InfrastructureError => brokerError(BROKER.REBALANCE_IN_PROGRESS, what)
