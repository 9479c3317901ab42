import { kafkaError } from '../../../errors.ts'

/** Compressed bytes that can't be; whoever knows where they lie adds it. */
export function damagedBlock(how: string): Error {
  return kafkaError('ERR_MESSAGING_CORRUPT_RECORDS', `a compressed batch ${how}`)
}
