import type { InfrastructureError } from '@smart-whale/interfaces'
import { kafkaConfigurationError, kafkaError, messagingError, messagingValidationError } from '../errors.ts'

/** Kafka's error codes that anything here decides by. */
export const BROKER = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  BROKER_NOT_AVAILABLE: 8,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  OFFSET_METADATA_TOO_LARGE: 12,
  NETWORK_EXCEPTION: 13,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC: 17,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_CONFIG: 40,
  NOT_CONTROLLER: 41,
  INVALID_REQUEST: 42,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTION_COORDINATOR_FENCED: 52,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  KAFKA_STORAGE_ERROR: 56,
  UNKNOWN_PRODUCER_ID: 59,
  TOPIC_DELETION_DISABLED: 73,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  UNSUPPORTED_COMPRESSION_TYPE: 76,
  OFFSET_NOT_AVAILABLE: 78,
  MEMBER_ID_REQUIRED: 79,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  INVALID_RECORD: 87,
  UNSTABLE_OFFSET_COMMIT: 88,
  THROTTLING_QUOTA_EXCEEDED: 89,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
  INCONSISTENT_TOPIC_ID: 103,
  TRANSACTION_ABORTABLE: 120,
} as const

const NAMES = new Map<number, string>(Object.entries(BROKER).map(([name, code]) => [code, name]))

/** Kafka's name of an error code. */
export const brokerErrorName = (code: number): string => NAMES.get(code) ?? `error ${code}`

/** The leader is elsewhere, or on its way: ask who leads now, then try again there. */
const LEADERSHIP = new Set<number>([
  BROKER.UNKNOWN_TOPIC_OR_PARTITION,
  BROKER.LEADER_NOT_AVAILABLE,
  BROKER.NOT_LEADER_OR_FOLLOWER,
  BROKER.REPLICA_NOT_AVAILABLE,
  BROKER.KAFKA_STORAGE_ERROR,
  BROKER.FENCED_LEADER_EPOCH,
  BROKER.UNKNOWN_LEADER_EPOCH,
  BROKER.OFFSET_NOT_AVAILABLE,
  BROKER.UNKNOWN_TOPIC_ID,
  BROKER.INCONSISTENT_TOPIC_ID,
])
/** The coordinator is elsewhere. */
const COORDINATOR_AWAY = new Set<number>([BROKER.COORDINATOR_NOT_AVAILABLE, BROKER.NOT_COORDINATOR])
/** It is the coordinator, and still at work with what came before: its start, or the end of a transaction. */
const COORDINATOR_BUSY = new Set<number>([BROKER.COORDINATOR_LOAD_IN_PROGRESS, BROKER.CONCURRENT_TRANSACTIONS, BROKER.UNSTABLE_OFFSET_COMMIT])
const PASSING = new Set<number>([
  ...LEADERSHIP,
  ...COORDINATOR_AWAY,
  ...COORDINATOR_BUSY,
  BROKER.CORRUPT_MESSAGE,
  BROKER.REQUEST_TIMED_OUT,
  BROKER.BROKER_NOT_AVAILABLE,
  BROKER.NETWORK_EXCEPTION,
  BROKER.NOT_ENOUGH_REPLICAS,
  BROKER.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  BROKER.REBALANCE_IN_PROGRESS,
  BROKER.NOT_CONTROLLER,
  BROKER.THROTTLING_QUOTA_EXCEEDED,
])
const FORBIDDEN = new Set<number>([
  BROKER.TOPIC_AUTHORIZATION_FAILED,
  BROKER.GROUP_AUTHORIZATION_FAILED,
  BROKER.CLUSTER_AUTHORIZATION_FAILED,
  BROKER.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
])
const WRONG_SETTINGS = new Set<number>([
  BROKER.INVALID_PARTITIONS,
  BROKER.INVALID_REPLICATION_FACTOR,
  BROKER.INVALID_CONFIG,
  BROKER.INVALID_REQUEST,
  BROKER.POLICY_VIOLATION,
])

/** Whether asking for the partition's leader again is what mends it. */
export const isLeadershipError = (code: number): boolean => LEADERSHIP.has(code)

/** Whether asking who the coordinator is mends it. */
export const isCoordinatorAway = (code: number): boolean => COORDINATOR_AWAY.has(code)

/** Whether asking the same coordinator again in a moment mends it. */
export const isCoordinatorBusy = (code: number): boolean => COORDINATOR_BUSY.has(code)

/** What a broker refused, as an error of ours: whether it may pass is decided here. */
export function brokerError(code: number, what: string, detail: string | null = null): InfrastructureError {
  const name = brokerErrorName(code)
  const said = detail === null || detail === '' ? name : `${name}: ${detail}`
  const context = { brokerCode: code, brokerError: name }
  if (FORBIDDEN.has(code)) {
    return kafkaConfigurationError('ERR_MESSAGING_AUTHORIZATION', `${what} is not allowed (${said}): give this client's user the right by an ACL`, { context, status: 403 })
  }
  if (WRONG_SETTINGS.has(code)) {
    return messagingValidationError('ERR_MESSAGING_TOPIC_SETTINGS', `${what} was refused (${said})`, [{ path: ['settings'], message: said }], context)
  }
  if (code === BROKER.MESSAGE_TOO_LARGE || code === BROKER.RECORD_LIST_TOO_LARGE) {
    const message = "has more bytes than the topic takes: split the message, or raise the topic's max.message.bytes"
    return messagingValidationError('ERR_MESSAGING_RECORD_TOO_LARGE', `${what}: the record ${message}`, [{ path: ['records', 'value'], message }], context)
  }
  if (code === BROKER.OFFSET_METADATA_TOO_LARGE) {
    const message = "has more characters than the broker's offset.metadata.max.bytes"
    return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${what}: the metadata ${message}`, [{ path: ['metadata'], message }], context)
  }
  if (code === BROKER.UNKNOWN_TOPIC_OR_PARTITION || code === BROKER.UNKNOWN_TOPIC_ID) {
    return messagingError('ERR_MESSAGING_TOPIC_NOT_FOUND', `${what}: the broker doesn't know the topic (${said}), or not yet`, { context, retryable: true, status: 404 })
  }
  const remedy = REMEDIES.get(code) ?? (PASSING.has(code) ? 'it may pass: try again' : "look at the broker's log")
  return kafkaError('ERR_MESSAGING_BROKER_REFUSED', `${what} was refused (${said}); ${remedy}`, { context, retryable: PASSING.has(code), status: 503 })
}

const REMEDIES = new Map<number, string>([
  [BROKER.INVALID_TRANSACTION_TIMEOUT, "set transactionTimeoutMs to at most the broker's transaction.max.timeout.ms"],
  [BROKER.INVALID_SESSION_TIMEOUT, "set sessionTimeoutMs within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"],
  [BROKER.INCONSISTENT_GROUP_PROTOCOL, 'the group has members that know no cooperative-sticky assignment: stop them, or take another groupId'],
  [BROKER.GROUP_MAX_SIZE_REACHED, "the group has as many members as the broker's group.max.size"],
  [BROKER.INVALID_GROUP_ID, 'give a groupId that is not empty'],
  [BROKER.NOT_ENOUGH_REPLICAS, 'fewer replicas are in sync than min.insync.replicas: bring the brokers back'],
  [BROKER.INVALID_TIMESTAMP, "the record's timestamp is further from the broker's clock than the topic allows: set this machine's clock right, or the topic's message.timestamp.type to LogAppendTime"],
  [BROKER.TOPIC_DELETION_DISABLED, "the broker's delete.topic.enable is false"],
])
