// The values are part of the wire contract: other services, in other languages, know them too.

/** Version of the message contract. */
export const MESSAGING_VERSION = '1.0.0'

// Topic names
/** What every topic of the family begins with. */
export const TOPIC_PREFIX = 'smartwhale'
/** Topics of the data service. */
export const DATA_PREFIX = `${TOPIC_PREFIX}.data` as const
/** Topics of the models. */
export const MODELS_PREFIX = `${TOPIC_PREFIX}.models` as const
/** Topics of the balancer. */
export const BALANCE_PREFIX = `${TOPIC_PREFIX}.balance` as const
/** Topics of the core. */
export const CORE_PREFIX = `${TOPIC_PREFIX}.core` as const
/** Where data is asked for. */
export const DATA_REQUESTS_TOPIC = `${DATA_PREFIX}.requests` as const
/** What the topic of a model's answers begins with. */
export const DATA_RESPONSES_PREFIX = `${DATA_PREFIX}.responses` as const
/** Where models are asked. */
export const MODELS_REQUESTS_TOPIC = `${MODELS_PREFIX}.requests` as const
/** Measurements of the balancer. */
export const BALANCE_METRICS_TOPIC = `${BALANCE_PREFIX}.metrics` as const
/** Events of the balancer. */
export const BALANCE_EVENTS_TOPIC = `${BALANCE_PREFIX}.events` as const
/** Log lines of every service. */
export const SYSTEM_LOGS_TOPIC = `${CORE_PREFIX}.logs` as const

// Topic settings
/** Partitions of a topic when nobody says otherwise. */
export const DEFAULT_PARTITIONS = 5
/** Copies of a topic when nobody says otherwise. */
export const DEFAULT_REPLICATION = 3
/** Partitions of a model's topic. */
export const MODEL_TOPIC_PARTITIONS = 3
/** Copies of a model's topic. */
export const MODEL_TOPIC_REPLICATION = 2

// Priorities: the lower, the more urgent
/** Before everything else. */
export const PRIORITY_CRITICAL = 1
/** Before what is usual. */
export const PRIORITY_HIGH = 2
/** What is usual. */
export const PRIORITY_MEDIUM = 3
/** After what is usual. */
export const PRIORITY_LOW = 4
/** When nothing else is to do. */
export const PRIORITY_BACKGROUND = 5
/** The priority of a message that names none. */
export const DEFAULT_PRIORITY = PRIORITY_MEDIUM

// Times and sizes
/** How long an operation (a request and its answer) may take, in milliseconds. */
export const DEFAULT_OPERATION_TIMEOUT = 30_000
/** How long one call to the broker may take, in milliseconds. */
export const DEFAULT_KAFKA_TIMEOUT = 10_000
/** Records that are handled as one batch. */
export const DEFAULT_BATCH_SIZE = 100
/** Bytes that are read ahead of a handler. */
export const DEFAULT_BUFFER_SIZE = 1_048_576

// Where a request comes from
/** A person asked. */
export const REQUEST_SOURCE_USER = 'user'
/** A model asked. */
export const REQUEST_SOURCE_MODEL = 'model'
/** The system itself asked. */
export const REQUEST_SOURCE_SYSTEM = 'system'
/** The source of a request that names none. */
export const DEFAULT_REQUEST_SOURCE = REQUEST_SOURCE_USER

// What became of a request
/** It was answered. */
export const MESSAGE_STATUS_SUCCESS = 'success'
/** It failed. */
export const MESSAGE_STATUS_ERROR = 'error'
/** It is being worked on. */
export const MESSAGE_STATUS_PENDING = 'pending'
/** A part of the answer; more follows or is missing. */
export const MESSAGE_STATUS_PARTIAL = 'partial'
/** It took too long. */
export const MESSAGE_STATUS_TIMEOUT = 'timeout'

// Why a request failed
/** The request itself is wrong. */
export const ERROR_INVALID_REQUEST = 'invalid_request'
/** There is nothing that answers it. */
export const ERROR_NO_DATA_FOUND = 'no_data_found'
/** Where the data comes from can't be reached. */
export const ERROR_SOURCE_UNAVAILABLE = 'source_unavailable'
/** The data was there, working on it failed. */
export const ERROR_PROCESSING_FAILED = 'processing_failed'
/** It took too long. */
export const ERROR_TIMEOUT = 'timeout'
/** Nobody knows. */
export const ERROR_UNKNOWN = 'unknown_error'
