import { dataRequestSchema, dataResponseSchema, messageMetadataSchema, requestPayloadSchema, responsePayloadSchema } from './message-schemas.ts'
import { wireJsonSchema } from './wire-names.ts'

/** The messages that have a JSON Schema. */
export type MessageSchemaName = 'DataRequest' | 'DataResponse' | 'MessageMetadata' | 'RequestPayload' | 'ResponsePayload'

const SCHEMAS = {
  DataRequest: dataRequestSchema,
  DataResponse: dataResponseSchema,
  MessageMetadata: messageMetadataSchema,
  RequestPayload: requestPayloadSchema,
  ResponsePayload: responsePayloadSchema,
} as const

/** The JSON Schema (2020-12) of a message as it goes over the wire, for other languages and for gateways. */
export const messageJsonSchema = (name: MessageSchemaName): Record<string, unknown> => wireJsonSchema(name, SCHEMAS[name])
