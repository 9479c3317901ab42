// Declaring
export { definePipelines, type PipelineDefinition, type PipelineInput, type PipelineSink, RESERVED_COLUMNS, type SliceLimits } from './pipeline-definition.ts'
export { type FieldKind, type FieldType, isFieldType, parseFieldType } from './field-type.ts'

// Running
export { createPipeline, Pipeline, type PipelineOptions } from './pipeline.ts'
export type { FloodOptions } from './flood-guard.ts'
export type { PartitionStatus, PipelineState, PipelineStatus } from './pipeline-status.ts'
export type { PipelineStores } from './write-slice.ts'

// Events
export { type Decoded, type EventDecoder, eventDecoder, type EventRefusal, type IngestRow } from './decode-record.ts'
