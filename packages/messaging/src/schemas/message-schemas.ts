import { z } from 'zod'
import { DEFAULT_PRIORITY, DEFAULT_REQUEST_SOURCE } from '../constants.ts'
import { DataSource, DataType, MessageStatus, OperationType, Priority, RequestSource } from './enumerations.ts'

// Named as in code; on the wire every name is in snake_case. The order of the fields is their order on the wire.

const text = z.string().min(1)
const time = z.iso.datetime({ offset: true, local: true })
const seconds = z.number().nonnegative()
const count = z.number().int().nonnegative()
const object = z.record(z.string(), z.unknown())

/** Who sent a message to whom, when, and how urgent it is. Times are ISO 8601, `ttl` is in seconds. */
export const messageMetadataSchema = z.strictObject({
  requestId: z.uuid(),
  timestamp: time,
  source: text,
  destination: text,
  priority: z.literal(Object.values(Priority)).default(DEFAULT_PRIORITY),
  requestSource: z.enum(RequestSource).default(DEFAULT_REQUEST_SOURCE),
  correlationId: text.optional(),
  traceId: text.optional(),
  sessionId: text.optional(),
  retryCount: count.default(0),
  ttl: seconds.optional(),
  expiresAt: time.optional(),
})

/** What is asked for. `timeout` is in seconds, `maxSize` in bytes. */
export const requestPayloadSchema = z.strictObject({
  operation: z.enum(OperationType),
  modelId: text,
  dataType: z.enum(DataType),
  dataSource: z.enum(DataSource).optional(),
  parameters: object.default({}),
  responseTopic: text,
  batchId: text.optional(),
  timeout: seconds.optional(),
  maxSize: count.optional(),
  requireFresh: z.boolean().optional(),
  tags: z.array(z.string()).default([]),
  context: object.default({}),
})

/** What is answered. `processingTime` is in seconds. */
export const responsePayloadSchema = z.strictObject({
  operation: z.enum(OperationType),
  status: z.enum(MessageStatus),
  dataType: z.enum(DataType),
  dataSource: z.enum(DataSource).optional(),
  data: z.json(),
  errorMessage: z.string().optional(),
  errorCode: z.string().optional(),
  metrics: object.default({}),
  batchId: text.optional(),
  nextCursor: z.string().optional(),
  totalItems: count.optional(),
  pageInfo: object.optional(),
  metadata: object.default({}),
  sourceUrl: z.string().optional(),
  lastUpdated: time.optional(),
  processingTime: seconds.optional(),
  cached: z.boolean().optional(),
  additionalInfo: object.default({}),
})

/** A request for data. */
export const dataRequestSchema = z.strictObject({ metadata: messageMetadataSchema, payload: requestPayloadSchema })

/** The answer to a request for data. */
export const dataResponseSchema = z.strictObject({ metadata: messageMetadataSchema, payload: responsePayloadSchema })

/** Who sent a message to whom, when, and how urgent it is. */
export type MessageMetadata = z.output<typeof messageMetadataSchema>
/** What is asked for. */
export type RequestPayload = z.output<typeof requestPayloadSchema>
/** What is answered. */
export type ResponsePayload = z.output<typeof responsePayloadSchema>
