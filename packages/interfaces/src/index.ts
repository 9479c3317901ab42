// Contracts
export type { CallOptions, Row, StorageInterface, TableDefinition, Transaction } from './storage.ts'
export type { CachingInterface } from './caching.ts'
export { compileGlob } from './glob.ts'
export type { MessageHandler, MessagingInterface, ReceivedMessage } from './messaging.ts'

// Exactly-once writing
export type {
  Batch,
  BatchReceipt,
  BatchTransaction,
  BatchWriter,
  LatestTurn,
  RecoverableBatchWriter,
  RefusalSearchOptions,
  RefusedRow,
  SliceSource,
  TransactionalBatchWriter,
  TurnBatch,
  TurnBatchWriter,
  WriteTurn,
} from './batch-writer.ts'
export type { ColumnBatch, ColumnLayout, ColumnValues } from './column-batch.ts'
export { pickRows, type RowRange } from './pick-rows.ts'
export {
  type ClaimedTable,
  type ClaimOptions,
  type DeadLetterPosition,
  progressGivenError,
  type RecordOptions,
  type Slice,
  type SliceClaim,
  type SliceLedger,
  type SliceScope,
  type SliceState,
  staleEpochError,
  type TableClaim,
  tableTakenError,
  TAKEN_OVER,
  type TakenTable,
} from './slice-ledger.ts'
export type { ComparedColumn, StoredPartition, StoredRow, StoredRows } from './stored-rows.ts'

// Ports
export { type Clock, systemClock, type TimerHandle } from './clock.ts'
export { type Logger, type LogMethod, silentLogger } from './logger.ts'
export {
  type CounterMetric,
  type GaugeMetric,
  type HistogramMetric,
  type MetricDefinition,
  type MetricLabels,
  type MetricsSink,
  silentMetrics,
} from './metrics.ts'
export { silentTracer, type Span, type Tracer } from './tracer.ts'
export type { Policy, PolicyCall, PolicyContext } from './policy.ts'
export type { AuditEntry, AuditFault, AuditStore, AuditVerification, ChainHead, FoundEntry } from './audit-chain.ts'
export { type AuditEvent, type AuditSink, type Encryptor, silentAudit, type TokenClaims, type TokenIssuer, type TokenVerifier } from './security.ts'
export type { HealthProbe, HealthResult, HealthStatus } from './health.ts'
export type { Lifecycle } from './lifecycle.ts'

// Errors
export {
  abortedError,
  ConfigurationError,
  ConnectionError,
  type ErrorOptions,
  hasErrorMark,
  InfrastructureError,
  type InterfaceErrorCode,
  markError,
  OperationError,
  TimeoutError,
  ValidationError,
  type ValidationErrorOptions,
  type ValidationIssue,
} from './errors.ts'
export { type ProblemDetails, problemResponse, toProblem } from './problem.ts'

// Wire
export { type JsonValue, toWire } from './wire.ts'
