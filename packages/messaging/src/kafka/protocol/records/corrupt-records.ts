import { kafkaError } from '../../../errors.ts'

/** Where the records of an answer come from. */
export interface RecordsOrigin {
  readonly topic: string
  readonly partition: number
}

/** Stored records that can't be read. Another replica may have them as they were, so that a later read may succeed. */
export function corruptRecords({ topic, partition }: RecordsOrigin, offset: bigint, how: string, cause?: unknown): Error {
  const message = `the records at offset ${offset} of partition ${partition} of "${topic}" ${how}; check the broker's disk, or read another replica`
  return kafkaError('ERR_MESSAGING_CORRUPT_RECORDS', message, { cause, context: { topic, partition, offset: String(offset) } })
}
