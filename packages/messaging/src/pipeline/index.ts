// Declaring
export { definePipeline, definePipelines, type PipelineInput, type TypedPipelineInput, type VersionInput } from './define-pipelines.ts'
export type { DefineOptions } from './compile-definition.ts'
export { type ClickHouseChoices, type EventVersion, type PipelineDefinition, RESERVED_COLUMNS, type RowRoute, type RowTransform, type SliceLimits, type VersionSource } from './pipeline-definition.ts'
export { pipelinesJsonSchema, type RouteRules } from './pipelines-file.ts'
export type { EventContext, FieldTypeText, FieldValue, PipelineSink, RouteFunction, TransformFunction, TypedEvent, TypedRow } from './event-types.ts'
export type { Condition, PlainValue } from './steps/condition-schema.ts'
export type { TransformStep } from './steps/step-schema.ts'
export { type FieldKind, type FieldType, isFieldType, parseFieldType } from './field-type.ts'

// Running
export { createPipeline, Pipeline, type PipelineOptions } from './pipeline.ts'
export type { UndeclaredFieldCount } from './schema-drift.ts'
export type { FloodOptions } from './flood-guard.ts'
export { SliceBudget, type SliceBudgetOptions } from './slice-budget.ts'
export type { LostRange, PartitionStatus, PipelineState, PipelineStatus } from './pipeline-status.ts'
export type { PipelineStores } from './write-slice.ts'
export { DEFAULT_REPLICATION } from '../constants.ts'

// Freshness
export { createFreshness, type Freshness, type FreshnessOptions, type FreshnessReport, type FreshnessWaitOptions, NotFreshError } from './freshness/freshness.ts'
export { decodeFreshnessToken, encodeFreshnessToken, type FreshnessTarget } from './freshness/freshness-token.ts'
export { type PipelineProgress, progressOfGroup, progressOfLedger } from './pipeline-progress.ts'
export { pipelineGroup } from './pipeline-group.ts'

// Lag
export { createLagMonitor, type LagMonitor, type LagMonitorOptions } from './lag-monitor.ts'
export { type PartitionPipelineLag, type PipelineLag, type PipelineLagOptions, readPipelineLag } from './pipeline-lag.ts'

// Verifying
export { deadLetterRisksOf, risksOf } from './check-topic.ts'
export { type GroupTakeover, takeOverGroup, type TakeOverGroupOptions } from './take-over-group.ts'
export { verifyPipeline, type VerifyOptions } from './verify/verify-pipeline.ts'
export type { FindingKind, FindingPlace, PartitionVerdict, VerifyFinding, VerifyReport } from './verify/verify-report.ts'

// Events
export { type Decoded, type EventDecoder, eventDecoder, type EventRefusal, type IngestRow } from './decode-record.ts'
