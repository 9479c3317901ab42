// Adapter
export type {
  ClickHouseAdapter,
  ColumnDescription,
  DownloadOptions,
  DownloadResult,
  ExecuteManyOptions,
  InsertGuard,
  InsertOptions,
  InsertResult,
  ExternalTable,
  QueryOptions,
  QueryParams,
  QueryResult,
  QueryStatistics,
  ServerChoice,
} from './adapter-options.ts'
export { type AdapterOptions, HttpAdapter } from './adapter/http-adapter.ts'
export type { StockClient } from './adapter/client-transport.ts'
export type { SocketStats } from './adapter/http-transport.ts'
export { createAdapter } from './create-adapter.ts'

// Several servers
export { type ClickHouseCapabilities, readCapabilities } from './adapter/read-capabilities.ts'
export { BalancedAdapter } from './servers/balanced-adapter.ts'
export type { BalancingStrategyName, ClickHouseBalancingOptions } from './servers/balancing-options.ts'
export { ClickHouseConnectionPool, type PoolStats } from './servers/connection-pool.ts'
export { CircuitBreaker, type ServerCall, type ServerPolicyOptions } from './servers/circuit-breaker.ts'
export { type RetriedCall, RetryHandler } from './servers/retry-handler.ts'
export { type ConnectionChoice, ClickHouseLoadBalancer, type ServerStats } from './servers/load-balancer.ts'
export type { ClickHouseConnection } from './servers/pooled-connection.ts'
export { type ClickHouseServer, splitAddresses } from './servers/server-list.ts'

export { ClickHouseConfig, type ClickHouseBreakerOptions, type ClickHouseOptions, type ClickHouseRetryOptions, type ConnectionParams, type DataManagementConfig } from './clickhouse-config.ts'
export { typed, type TypedValue } from './parameters/typed-value.ts'

// Typed queries
export { type CompiledQuery, SelectQuery } from './query-builder/select-query.ts'
export { createQueryBuilder, type QueryBuilder } from './query-builder/create-query-builder.ts'
export type { QueryExpression } from './query-builder/expression.ts'
export { type ComparisonOperator, type QueryCondition, ExpressionBuilder, type WindowOptions } from './query-builder/expression-builder.ts'
export type { GapOptions } from './query-builder/fill-gaps.ts'
export { generateTypes, type GenerateTypesOptions } from './query-builder/generate-types.ts'
export { type Column, defineSchema, type QuerySchema, type QuerySchemaOptions, type SchemaColumns } from './query-builder/query-schema.ts'
export type { Readable, RowOf } from './query-builder/query-types.ts'
export type { TimeUnit } from './query-builder/time-units.ts'

// Optimizer
export { createQueryOptimizer, optimizeQuery, type OptimizedQuery, type OptimizedResult, type QueryOptimizer } from './optimizer/query-optimizer.ts'
export type { Rewrite, RewriteRule } from './optimizer/rewrite-rules.ts'

// Tables and batches
export { createTable, type CreateTableOptions } from './storage/create-table.ts'
export { type BatchWriterOptions, createBatchWriter } from './storage/batch-writer.ts'
export { INGEST_EPOCHS_TABLE, ingestEpochsDefinition, type IngestEpochsOptions } from './storage/ingest-epochs.ts'
export { tableGiven, takeOverTurns, type TakeOverTurnsOptions, type TurnTakeover } from './storage/take-over-turns.ts'
export { checkDeduplicates } from './storage/check-deduplicates.ts'
export { createStoredRows, type StoredRowsOptions } from './storage/stored-rows.ts'
export { ClickHouseStorage } from './storage/clickhouse-storage.ts'

// Analytics
export { type AnalyticsService, createAnalyticsService, type PreparedQuery } from './analytics/analytics-service.ts'
export type { AnalyticsBatchOptions } from './analytics/answer-batch.ts'
export type { AnalyticsServiceOptions } from './analytics/analytics-options.ts'
export type {
  AnalyticsCacheStats,
  AnalyticsFailure,
  AnalyticsQuery,
  AnalyticsQueryOptions,
  AnalyticsResult,
  CacheState,
  CacheStatus,
  DegradedAnswer,
} from './analytics/analytics-query.ts'
export { type CachedQueryOptions, type CachedResult, CacheManager, type CacheManagerStats } from './analytics/cache-manager.ts'
export { AnalyticsCache, type AnalyticsCacheOptions, type CacheLookup, type KeptAnswer } from './analytics/analytics-cache.ts'
export type { AnalyticsKey, KeyedQuestion } from './analytics/answer-key.ts'
export type { TableDependencies } from './analytics/table-dependencies.ts'
export type { CacheStamp } from './analytics/tag-versions.ts'

// Metrics
export { defineMetrics, type DefinedMetrics } from './metrics/definition/define-metrics.ts'
export { readMetrics } from './metrics/definition/read-metrics.ts'
export type {
  DimensionDefinition,
  DimensionName,
  FilterComparison,
  FilterCondition,
  Filters,
  FilterValue,
  Grain,
  MetricDefinition,
  MetricExpression,
  MetricName,
  MetricsDefinition,
  RollupDefinition,
  SourceDefinition,
  SourceName,
} from './metrics/definition/metric-definition.ts'
export type { Formula } from './metrics/definition/formula.ts'
export type { ComputedModel, DimensionModel, MeasureModel, MetricModel, MetricsModel, RollupModel, SourceModel } from './metrics/definition/metrics-model.ts'
export type { PeriodName } from './metrics/periods/resolve-period.ts'
export type { CompiledQuestion } from './metrics/compile/compile-question.ts'
export type { AskOptions, MetricQuestion, RowCondition, RowFilter } from './metrics/compile/metric-question.ts'
export type { RefusedRollup, RollupTable, Route } from './metrics/rewrite/choose-route.ts'
export type { CohortGrain, CohortQuestion } from './metrics/compile/compile-cohorts.ts'
export type { FunnelQuestion } from './metrics/compile/compile-funnel.ts'
export type { Cohort, FunnelStep } from './metrics/answer/paths-answer.ts'
export { createMetricsLayer, type MetricsLayer, type PathsAnswer } from './metrics/answer/metrics-layer.ts'
export type { MetricsLayerOptions } from './metrics/answer/metrics-options.ts'
export type {
  AnsweredPeriod,
  AnsweredRoute,
  DimensionValue,
  DegradedMetrics,
  MetricAnswer,
  MetricRow,
  MetricTotals,
  MetricValue,
  MetricValues,
} from './metrics/answer/metric-answer.ts'
export { createLiveMetrics, type LiveLayer, type LiveLoad, type LiveMetrics } from './metrics/live/live-metrics.ts'
export type { FollowOptions, LiveMetricsOptions } from './metrics/live/live-options.ts'
export {
  applyLiveEvent,
  type LiveChange,
  type LiveFailure,
  type LiveFrame,
  type LiveMetricEvent,
  type LiveRowKey,
  type LiveSnapshot,
  type LiveState,
  rowKey,
} from './metrics/live/live-events.ts'
export type { TableWatcher } from './analytics/table-watchers.ts'
export { createRollupManager } from './metrics/rollups/rollup-manager.ts'
export type { RollupCallOptions, RollupManager, RollupManagerOptions, RollupOutcome, RollupStatus } from './metrics/rollups/rollup-options.ts'

// Streams
export {
  createStreamProcessor,
  type StreamCallOptions,
  type StreamProcessor,
  type StreamReceipt,
  type StreamStats,
} from './stream-processor/stream-processor.ts'
export type { StreamProcessorOptions, TableInvalidation } from './stream-processor/stream-options.ts'
export type { RejectedRow } from './stream-processor/stream-batch.ts'

// Migrations
export { createMigrationManager, type MigrationManager } from './migrations/migration-manager.ts'
export type {
  DriftReport,
  MigrationCallOptions,
  MigrationManagerOptions,
  MigrationOutcome,
  MigrationReport,
  MigrationStatus,
  PlannedMigration,
  SettleOptions,
} from './migrations/migration-options.ts'
export { type Migration, readMigrations } from './migrations/migration-files.ts'
export type { Drift } from './migrations/drift.ts'
export { statementsFor, type ShardedTables } from './migrations/statements-for-topology.ts'
export type { ClusterOptions, ShardOptions, Topology } from './migrations/topology.ts'

// Backups
export { createBackupManager } from './backup/backup-manager.ts'
export { DatabaseBackupService, type DatabaseBackupOptions } from './backup/database-backup-service.ts'
export { type FolderStore, folderStore } from './backup/folder-store.ts'
export type {
  BackupCallOptions,
  BackupFault,
  BackupInfo,
  BackupManager,
  BackupManagerOptions,
  BackupProgress,
  BackupRetention,
  BackupRound,
  BackupSchedule,
  BackupScheduleOptions,
  BackupVerification,
  CreateBackupOptions,
  NativeBackupPlace,
  RestoreOptions,
} from './backup/backup-options.ts'
export type { BackupStore, StoredFile } from './backup/backup-store.ts'
export type { BackupManifest, ManifestFile, ManifestPartition } from './backup/manifest.ts'

// Life of data
export { createLifecycleManager } from './lifecycle/lifecycle-manager.ts'
export type {
  ColumnSize,
  DatabaseSize,
  ExpireOptions,
  ExpiryReport,
  LifecycleManager,
  LifecycleManagerOptions,
  NewTtlRule,
  OptimizeOptions,
  OptimizeReport,
  TableSize,
  TableSizeInfo,
  TtlCallOptions,
  TtlChange,
  TtlRule,
} from './lifecycle/lifecycle-options.ts'
export { createDataCompressor } from './compression/data-compressor.ts'
export type { CodecAdvice, CodecMeasurement, DataCompressor, DataCompressorOptions, StorageStats } from './compression/compression-options.ts'

// Exports and time series
export { createAnalyticsExporter } from './export/analytics-exporter.ts'
export { exportFormatFor } from './export/export-formats.ts'
export type { AnalyticsExporter, AnalyticsExporterOptions, ExportFormat, ExportOptions, ExportStream } from './export/export-options.ts'
export { TimescaleClickHouseService } from './time-series/timescale-clickhouse-service.ts'
export type {
  MigrateOptions,
  MigrationProgress,
  TimescaleClickHouseOptions,
  TimeSeriesMigrator,
  TimeSeriesMapping,
  TimeSeriesReport,
  TimeSeriesSource,
} from './time-series/time-series-options.ts'

// Who may ask what
export {
  type AccessControl,
  type AccessControlOptions,
  createAccessControl,
  type TokenExtras,
  type TokenPermissions,
  type TokenPorts,
  type TrustedServiceOptions,
} from './access/access-control.ts'
export { type AccessEnvironment, levelsFromFile, readLevels } from './access/access-config.ts'
export type { BudgetOptions, LevelLimits, QuotaOptions, ShareOptions, TableAccess, TrustedReader, TrustLevel } from './access/trust-level.ts'
export { TrustedAnalytics, type TrustedAnalyticsOptions } from './access/trusted-analytics.ts'
export type { AccessStatementOptions } from './access/access-statements.ts'
export { estimateQuery, type QueryEstimate } from './access/estimate-query.ts'
export { FairTurns, type FairTurnsOptions, type Turn } from './access/fair-turns.ts'
export { createMemoryQuotaStore, type MemoryQuotaStore, type MemoryQuotaStoreOptions } from './access/quota/memory-quota-store.ts'
export { createSharedQuotaStore, type SharedQuotaStoreOptions } from './access/quota/shared-quota-store.ts'
export type { QuotaStore, Spending, SpentSlice } from './access/quota/spending.ts'
export { TENANT_HEADER } from './access/tenant-header.ts'
export { BudgetExceededError, QuotaExceededError } from './access/access-errors.ts'
export { type EstimateBudget, RequestBudget } from './access/request-budget.ts'
export { type AuditLogger, type AuditLoggerOptions, createAuditLogger, type LoggedEvent, type SecurityEvent } from './access/audit-logger.ts'
export { type AuditTableOptions, createAuditTable } from './access/audit-table.ts'
export type { AuditEntry, AuditStore, AuditVerification, ChainHead } from '@smart-whale/interfaces'
export { createEncryptionManager, type EncryptionContext, type EncryptionManager, type EncryptionManagerOptions } from './access/encryption-manager.ts'

// Advice
export { advise, type AdviseOptions, type Advice, type MeasuredCost, type Proposal } from './advisor/advise.ts'
export { type AnalysisFinding, analyzeQuery, type IndexUse, type QueryAnalysis, type TableRead } from './advisor/analyze-query.ts'
export type { LoggedQuestion } from './advisor/logged-questions.ts'
export { type QuestionLog, recordQuestions } from './advisor/question-log.ts'

// Monitoring
export { HealthCheck, type HealthCheckOptions, type HealthLimits } from './monitoring/health-check.ts'
export { createPerformanceMonitor, type PerformanceMonitor, type PerformanceMonitorOptions, startMonitoring } from './monitoring/performance-monitor.ts'
export { PrometheusExporter } from './monitoring/prometheus-exporter.ts'
export type { DiskState, ErrorsState, MergesState, MutationsState, PartsState, QueriesState, ReplicasState, SystemState } from './monitoring/system-state.ts'

// Doctor
export { type AppliedFix, applyFixes, type ApplyFixesOptions } from './doctor/apply-fixes.ts'
export type { DoctorFinding, Fix, Severity, UnseenRule } from './doctor/finding.ts'
export { type DoctorOptions, type DoctorReport, runDoctor } from './doctor/run-doctor.ts'
export type { DoctorThresholds } from './doctor/thresholds.ts'

// Ready services
export { AnalyticsGraphQLService } from './services/analytics-graphql-service.ts'
export { type DashboardOptions, type DashboardPart, DashboardService, type DashboardSummary } from './services/dashboard-service.ts'
export { EventLogger, type EventLoggerOptions, type SystemEvent } from './services/event-logger.ts'

// All together; what makes and serves a GraphQLLayer stands in @smart-whale/clickhouse/graphql
export type { Authorize, GraphqlContext, GraphqlRequest } from './graphql/graphql-context.ts'
export type { FieldCosts, GraphqlAnswer, GraphqlExtension, GraphQLLayer, GraphqlLayerOptions, GraphqlLimits, GraphqlProblem, GraphqlResolver, GraphqlResolvers } from './graphql/graphql-options.ts'
export { type ClickHouseParts, type ClickHouseSetup, type NamedClickHouseParts, setupClickHouse } from './setup-clickhouse.ts'

// Errors
export {
  AuthenticationError,
  ClickHouseBaseError,
  type ClickHouseErrorCode,
  type ClickHouseErrorOptions,
  ConnectionError,
  ConnectionTimeoutError,
  DataTypeError,
  PoolExhaustedError,
  QueryCancellationError,
  QueryError,
  QueryExecutionTimeoutError,
  QuerySyntaxError,
  type SyntaxErrorPosition,
} from './errors.ts'
export { BackupError, CircuitBreakerError, DataManagementError, EncryptionError, OperationalError, PermissionDeniedError, RetryExhaustedError, SecurityError, TokenError } from './operational-errors.ts'
