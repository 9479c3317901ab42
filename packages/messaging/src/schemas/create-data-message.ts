import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '@smart-whale/interfaces'
import { DEFAULT_PRIORITY, DEFAULT_REQUEST_SOURCE, MESSAGE_STATUS_SUCCESS } from '../constants.ts'
import { modelTopicName } from '../model-topic.ts'
import { DataRequest, DataResponse } from './data-message.ts'
import { DataType, OperationType } from './enumerations.ts'
import type { MessageMetadata, RequestPayload, ResponsePayload } from './message-schemas.ts'

/** What the metadata of a message may be given; the rest is filled in. */
export interface MessageMetadataOptions {
  /** How urgent it is, from `Priority`. @default 3, medium */
  priority?: MessageMetadata['priority'] | undefined
  /** What caused it, from `RequestSource`. @default 'user' */
  requestSource?: MessageMetadata['requestSource'] | undefined
  /** Trace that it belongs to. @default none */
  traceId?: string | undefined
  /** Session that it belongs to. @default none */
  sessionId?: string | undefined
  /** How many times it has been tried already. @default 0 */
  retryCount?: number | undefined
  /** Seconds after which the message is of no use. @default none */
  ttl?: number | undefined
  /** When the message is of no use any more, ISO 8601. @default none */
  expiresAt?: string | undefined
  /** Whose time is written down. @default systemClock */
  clock?: Clock | undefined
}

/** What {@link createDataRequest} makes a request from. */
export interface CreateDataRequestOptions extends MessageMetadataOptions, Partial<Omit<RequestPayload, 'operation' | 'modelId' | 'dataType' | 'responseTopic'>> {
  /** What is to be done. @default none, required */
  operation: RequestPayload['operation']
  /** The model that asks. @default none, required */
  modelId: string
  /** What kind of data it is about. @default none, required */
  dataType: RequestPayload['dataType']
  /** Where the answer is to go. @default the model's own topic */
  responseTopic?: string | undefined
  /** A UUID. @default a new one */
  requestId?: string | undefined
  /** What the request belongs to, for whoever follows it through several messages. @default none */
  correlationId?: string | undefined
  /** Who sends it. @default 'balance' */
  source?: string | undefined
  /** Who it is for. @default 'data' */
  destination?: string | undefined
}

/** What {@link createDataResponse} makes a response from. */
export interface CreateDataResponseOptions
  extends MessageMetadataOptions, Partial<Omit<ResponsePayload, 'operation' | 'status' | 'dataType' | 'data' | 'metadata'>> {
  /** The id of the request that this answers. @default none, required */
  requestId: string
  /** The model that asked; the response is sent to its topic. @default none, required */
  modelId: string
  /** The answer itself; anything that JSON can say. @default none, required */
  data: ResponsePayload['data']
  /** How the request went. @default 'success' */
  status?: ResponsePayload['status'] | undefined
  /** What was done. @default 'fetch_data' */
  operation?: ResponsePayload['operation'] | undefined
  /** What kind of data it is. @default 'structured' */
  dataType?: ResponsePayload['dataType'] | undefined
  /** What else is to be said of the answer. The model's id is put beside it. @default {} */
  metadata?: Record<string, unknown> | undefined
  /** Who sends it. @default 'data' */
  source?: string | undefined
  /** Who it is for. @default 'models' */
  destination?: string | undefined
}

/** The field of a response's `payload.metadata` that has the id of the model that asked. */
export const RESPONSE_MODEL_ID = 'model_id'

/** A request for data, from the balancer to the data service unless said otherwise. */
export function createDataRequest(options: CreateDataRequestOptions): DataRequest {
  const { requestId = randomUUID(), correlationId, source = 'balance', destination = 'data', ...given } = options
  const { metadata, rest } = takeMetadata(given)
  const payload = { parameters: {}, tags: [], context: {}, ...rest, responseTopic: rest.responseTopic ?? modelTopicName(rest.modelId) }
  return new DataRequest({ metadata: { ...metadata, requestId, source, destination, ...(correlationId !== undefined && { correlationId }) }, payload })
}

/** The answer to a request, from the data service to the models unless said otherwise; `correlationId` is the request's id. */
export function createDataResponse(options: CreateDataResponseOptions): DataResponse {
  const { requestId, modelId, source = 'data', destination = 'models', metadata: about = {}, ...given } = options
  const { metadata, rest } = takeMetadata(given)
  const payload = {
    metrics: {},
    additionalInfo: {},
    ...rest,
    operation: rest.operation ?? OperationType.FETCH_DATA,
    status: rest.status ?? MESSAGE_STATUS_SUCCESS,
    dataType: rest.dataType ?? DataType.STRUCTURED,
    metadata: { ...about, [RESPONSE_MODEL_ID]: modelId },
  }
  return new DataResponse({ metadata: { ...metadata, requestId, correlationId: requestId, source, destination }, payload })
}

function takeMetadata<Given extends MessageMetadataOptions>(given: Given) {
  const { priority, requestSource, traceId, sessionId, retryCount, ttl, expiresAt, clock = systemClock, ...rest } = given
  const metadata = {
    timestamp: new Date(clock.now()).toISOString(),
    priority: priority ?? DEFAULT_PRIORITY,
    requestSource: requestSource ?? DEFAULT_REQUEST_SOURCE,
    retryCount: retryCount ?? 0,
    traceId,
    sessionId,
    ttl,
    expiresAt,
  }
  return { metadata, rest }
}
