// The wire contract
export {
  BALANCE_EVENTS_TOPIC,
  BALANCE_METRICS_TOPIC,
  BALANCE_PREFIX,
  CORE_PREFIX,
  DATA_PREFIX,
  DATA_REQUESTS_TOPIC,
  DATA_RESPONSES_PREFIX,
  DEFAULT_BATCH_SIZE,
  DEFAULT_BUFFER_SIZE,
  DEFAULT_KAFKA_TIMEOUT,
  DEFAULT_OPERATION_TIMEOUT,
  DEFAULT_PARTITIONS,
  DEFAULT_PRIORITY,
  DEFAULT_REPLICATION,
  DEFAULT_REQUEST_SOURCE,
  ERROR_INVALID_REQUEST,
  ERROR_NO_DATA_FOUND,
  ERROR_PROCESSING_FAILED,
  ERROR_SOURCE_UNAVAILABLE,
  ERROR_TIMEOUT,
  ERROR_UNKNOWN,
  MESSAGE_STATUS_ERROR,
  MESSAGE_STATUS_PARTIAL,
  MESSAGE_STATUS_PENDING,
  MESSAGE_STATUS_SUCCESS,
  MESSAGE_STATUS_TIMEOUT,
  MESSAGING_VERSION,
  MODEL_TOPIC_PARTITIONS,
  MODEL_TOPIC_REPLICATION,
  MODELS_PREFIX,
  MODELS_REQUESTS_TOPIC,
  PRIORITY_BACKGROUND,
  PRIORITY_CRITICAL,
  PRIORITY_HIGH,
  PRIORITY_LOW,
  PRIORITY_MEDIUM,
  REQUEST_SOURCE_MODEL,
  REQUEST_SOURCE_SYSTEM,
  REQUEST_SOURCE_USER,
  SYSTEM_LOGS_TOPIC,
  TOPIC_PREFIX,
} from './constants.ts'

// The transport port
export type {
  BoundsOptions,
  GroupMembership,
  JoinOptions,
  MessagingTransport,
  OutgoingRecord,
  PartitionLag,
  CommitOptions,
  CommittedOffset,
  PartitionReader,
  ReadOptions,
  RecordBatch,
  RecordPlace,
  ValuePlace,
  WrittenContent,
  RecordPosition,
  StartFrom,
  TopicAdmin,
  TopicDescription,
  TopicSettings,
  Transaction,
  TransactionalOptions,
  TransactionalProducer,
  TransportCallOptions,
} from './transport.ts'

// The service
export { KafkaService } from './kafka-service.ts'
export type { SendBatchOptions, SendMessageOptions } from './send-options.ts'
export type { MessageTransaction } from './transactions/message-transaction.ts'
export type { ServiceTransactionOptions } from './transactions/service-transactions.ts'
export type { TransformHandler, TransformOptions } from './consume/transform-options.ts'
export { createEnvironmentTransport, kafkaService } from './ready-service.ts'
export { KAFKA_LIBRARIES, type KafkaConfig, readKafkaConfig } from './kafka-config.ts'
export type { KafkaServiceOptions, MessagingAction } from './service-options.ts'
export type { BatchHandler, MessageFailure } from './consume/message-handler.ts'
export type { SubscribeBatchOptions, SubscribeOptions } from './consume/subscribe-options.ts'
export type { BadMessageBreakerOptions } from './consume/bad-message-breaker.ts'
export { RETRY_HEADERS, retryTopic, type RetryTopicsOptions } from './consume/retry-topic.ts'
export type { ConsumerLag, ConsumerPartitionLag } from './consumer-lag.ts'
export { laneTopic } from './priority-lanes.ts'
export { TRACE_HEADERS } from './trace-context.ts'
export { EXPIRES_HEADER } from './message-expiry.ts'
export type { RequestOptions } from './requests/request-client.ts'
export type { DataRequestHandler, ServeDataRequestsOptions } from './requests/serve-requests.ts'
export { CORRELATION_HEADER } from './requests/correlation.ts'
export { KafkaMessaging, type KafkaMessagingOptions } from './kafka-messaging.ts'
export { CONTENT_TYPE_HEADER, ENCRYPTION_HEADER } from './message-content.ts'

// Messages
export { DataRequest, DataResponse, type DataRequestFields, type DataResponseFields, isValidDataRequest, isValidDataResponse } from './schemas/data-message.ts'
export {
  createDataRequest,
  type CreateDataRequestOptions,
  createDataResponse,
  type CreateDataResponseOptions,
  type MessageMetadataOptions,
  RESPONSE_MODEL_ID,
} from './schemas/create-data-message.ts'
export { DataSource, DataType, MessageStatus, OperationType, Priority, RequestSource } from './schemas/enumerations.ts'
export {
  dataRequestSchema,
  dataResponseSchema,
  type MessageMetadata,
  messageMetadataSchema,
  type RequestPayload,
  requestPayloadSchema,
  type ResponsePayload,
  responsePayloadSchema,
} from './schemas/message-schemas.ts'
export { messageJsonSchema, type MessageSchemaName } from './schemas/json-schemas.ts'
export { defineMessage, type DefineMessageOptions, type MessageDefinition, type MessageUpgrade } from './schemas/define-message.ts'
export type { WithUnknownFields } from './schemas/wire-codec.ts'

// Answers from tables
export { answerFromTables, type AnswerFromTablesOptions, type TablePage, type TableQuery, type TableReader } from './table-requests/answer-from-tables.ts'

// Topics and dead letters
export { BASE_TOPICS, TopicCategory, type TopicDrift, TopicManager, type TopicManagerOptions } from './topic-manager.ts'
export { modelIdOfTopic, modelTopicName } from './model-topic.ts'
export { checkTopicName, isTopicName, MAX_TOPIC_NAME_LENGTH } from './topic-name.ts'
export { DEAD_LETTER_CONFIGS } from './beside-topic.ts'
export { DEAD_LETTER_HEADERS, deadLetterRecord, deadLetterTopic, type DeadLetterReason, type FailedRecord } from './dead-letter.ts'

// Errors
export { isMessagingError, type KafkaErrorCode, type MessagingErrorCode, PartialSendError, type PartialSendErrorOptions, type PipelineErrorCode } from './errors.ts'

// Dead letters
export { type DeadLetter, type DeadLetterOrigin, readDeadLetters, type ReadDeadLettersOptions } from './dead-letters/read-dead-letters.ts'
export { letterVersion, SCHEMA_VERSION_HEADER, type VersionOfLetter } from './dead-letters/letter-version.ts'
export { type FateOf, type LetterFate, readFates } from './dead-letters/read-fates.ts'
export { letterDecoder, type LetterDecoder } from './dead-letters/judge-letter.ts'
export { deadLetterFilter, type DeadLetterSelection } from './dead-letters/select-dead-letters.ts'
export { type DeadLetterGroup, groupDeadLetters } from './dead-letters/group-dead-letters.ts'
export { type DeadLetterView, inspectDeadLetter, type InspectOptions, type ValueView } from './dead-letters/inspect-dead-letter.ts'
export { type DeadLetterPatch, patchedValue, patchFromFields, type PatchFields } from './dead-letters/patch-dead-letter.ts'
export { replayDeadLetters, type ReplayOptions, type ReplayReport } from './dead-letters/replay-dead-letters.ts'
export { dropDeadLetters, type DropOptions } from './dead-letters/drop-dead-letters.ts'
export { REPLAY_OF_HEADER } from './dead-letters/find-replayed.ts'
export { journalTopic } from './dead-letters/replay-journal.ts'
