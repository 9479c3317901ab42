// How a record batch of Kafka's format 2 lies in its bytes. All numbers are big-endian; those within records are varints.

/** Where each field of the header begins. */
export const BATCH = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const

/** The length field counts what comes behind it. */
export const BEFORE_LENGTH_ENDS = BATCH.leaderEpoch
/** The number of this format. */
export const MAGIC = 2

/** Bits of the attributes that name the compression. */
export const COMPRESSION_BITS = 0x07
/** The broker stamped the records when it stored them. */
export const LOG_APPEND_TIME_BIT = 0x08
/** The records belong to a transaction. */
export const TRANSACTIONAL_BIT = 0x10
/** No records, but the marker that ends a transaction. */
export const CONTROL_BIT = 0x20

/** Length, attributes, timestamp, offset, key length, value length and number of headers have a byte each at least. */
export const MIN_RECORD_BYTES = 7
