import { InfrastructureError } from '@smart-whale/interfaces'
import { BROKER } from '../broker-errors.ts'
import type { FetchedPartition } from '../kafka-api.ts'
import { decodeRecords } from '../protocol/records/decode-records.ts'
import { callLeader } from './call-leader.ts'
import type { KafkaClient } from './kafka-client.ts'
import { earliestOffset, type OffsetQuestion } from './offset-bounds.ts'

/** Where a record is looked for. */
export interface RecordQuestion extends OffsetQuestion {
  readonly topicId: string
  /** First offset that is looked at; null for the first one that is there. */
  readonly from: bigint | null
  /** Behind the last one. */
  readonly end: bigint
}

/** Whatever is asked for, a broker gives the first batch whole: enough where a record is at once. */
const ONE_BATCH = 1

/**
 * The offset of the first record of a range that a reader would be handed; its end when there is none. The ends of transactions have offsets as
 * well, and so has what was taken back: nobody will ever have done those.
 */
export async function firstRecord(client: KafkaClient, question: RecordQuestion): Promise<bigint> {
  const { from, end } = question
  let at = from ?? (await earliestOffset(client, question))
  for (let maxBytes = ONE_BATCH; at < end; maxBytes = client.settings.maxPartitionFetchBytes) {
    const fetched = await fetchAt(client, question, at, maxBytes)
    if (fetched === null) {
      const earliest = await earliestOffset(client, question)
      // Another end than was asked about: what is there is there to be read.
      if (earliest <= at) return at
      at = earliest
      continue
    }
    const found = lookInto(fetched, question.topic, at)
    if (found.record !== null) return found.record
    // Nothing came, of what is there.
    if (found.nextOffset <= at) return at
    at = found.nextOffset
  }
  return at
}

/** What lies there; null when the partition doesn't have the offset. */
async function fetchAt(client: KafkaClient, { topic, topicId, partition, signal }: RecordQuestion, fetchOffset: bigint, maxBytes: number): Promise<FetchedPartition | null> {
  const { settings } = client
  const { fetched } = await callLeader(client, {
    topic,
    topicId,
    partition,
    signal,
    what: `looking for a record from offset ${fetchOffset} of partition ${partition} of topic "${topic}"`,
    call: async (target, leaderEpoch, led) => {
      const request = { maxWaitMs: 0, minBytes: 0, maxBytes, partitions: [{ topicId, partition, leaderEpoch, fetchOffset, maxBytes }] }
      const answer = await client.api.fetch(target, request, { signal: led, timeoutMs: settings.requestTimeoutMs, channel: 'passing' })
      const [found = null] = answer.partitions
      const errorCode = answer.errorCode === BROKER.NONE ? (found?.errorCode ?? BROKER.NONE) : answer.errorCode
      return errorCode === BROKER.OFFSET_OUT_OF_RANGE ? { errorCode: BROKER.NONE, fetched: null } : { errorCode, fetched: found }
    },
  })
  return fetched
}

function lookInto(fetched: FetchedPartition, topic: string, fetchOffset: bigint): { readonly record: bigint | null; readonly nextOffset: bigint } {
  try {
    const records = decodeRecords({ ...fetched, topic, fetchOffset })
    return { record: records.length > 0 ? records.offsetAt(0) : null, nextOffset: records.nextOffset }
  } catch (error) {
    if (!(InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_CORRUPT_RECORDS')) throw error
    // Nobody can read it, and it isn't done.
    return { record: fetchOffset, nextOffset: fetchOffset }
  }
}
