import { ConnectionError, InfrastructureError, type MessageHandler, TimeoutError, ValidationError } from '@smart-whale/interfaces'
import {
  DATA_RESPONSES_PREFIX,
  ERROR_INVALID_REQUEST,
  ERROR_NO_DATA_FOUND,
  ERROR_PROCESSING_FAILED,
  ERROR_SOURCE_UNAVAILABLE,
  ERROR_TIMEOUT,
  ERROR_UNKNOWN,
  MESSAGE_STATUS_ERROR,
} from '../constants.ts'
import type { SubscribeOptions } from '../consume/subscribe-options.ts'
import { messagingValidationError } from '../errors.ts'
import { createDataResponse } from '../schemas/create-data-message.ts'
import { DataRequest, type DataResponse } from '../schemas/data-message.ts'
import { isTopicName } from '../topic-name.ts'

/** Answers one request. What it throws becomes an answer with status `error`. */
export type DataRequestHandler = (request: DataRequest, context: { signal: AbortSignal }) => Promise<DataResponse> | DataResponse

/** How requests are answered. */
export interface ServeDataRequestsOptions extends SubscribeOptions {
  /** Where requests are read. @default DATA_REQUESTS_TOPIC */
  topic?: string | undefined
  /** Whether answers may be sent to a topic that a request names: whoever can ask could have them sent anywhere otherwise. @default those below DATA_RESPONSES_PREFIX */
  mayAnswerTo?: ((topic: string) => boolean) | undefined
}

/** The handler that reads requests, has them answered, and sends the answers where they are awaited. */
export function answering(
  handler: DataRequestHandler,
  send: (response: DataResponse, topic: string) => Promise<unknown>,
  mayAnswerTo: (topic: string) => boolean = isResponseTopic,
): MessageHandler {
  return async ({ value }, context) => {
    const request = DataRequest.fromDict(value)
    const { responseTopic } = request.payload
    if (!isTopicName(responseTopic) || !mayAnswerTo(responseTopic)) throw responseTopicRefused(responseTopic)
    const response = await answer(request, handler, context)
    await send(response, responseTopic)
  }
}

const isResponseTopic = (topic: string): boolean => topic.startsWith(`${DATA_RESPONSES_PREFIX}.`)

async function answer(request: DataRequest, handler: DataRequestHandler, context: { signal: AbortSignal }): Promise<DataResponse> {
  try {
    return await handler(request, context)
  } catch (error) {
    // A handler that was told to stop has not failed: whoever has the partition next is to answer.
    if (context.signal.aborted) throw error
    const { metadata, payload } = request
    return createDataResponse({
      requestId: metadata.requestId,
      modelId: payload.modelId,
      operation: payload.operation,
      dataType: payload.dataType,
      priority: metadata.priority,
      status: MESSAGE_STATUS_ERROR,
      data: null,
      errorCode: errorCodeOf(error),
      // What is no error of ours may say things that are not for everybody.
      errorMessage: InfrastructureError.isInstance(error) && error.status < 500 ? error.message : 'the request could not be answered',
    })
  }
}

function errorCodeOf(error: unknown): string {
  if (ValidationError.isInstance(error)) return ERROR_INVALID_REQUEST
  if (TimeoutError.isInstance(error)) return ERROR_TIMEOUT
  if (ConnectionError.isInstance(error)) return ERROR_SOURCE_UNAVAILABLE
  if (!InfrastructureError.isInstance(error)) return ERROR_UNKNOWN
  return error.status === 404 ? ERROR_NO_DATA_FOUND : ERROR_PROCESSING_FAILED
}

function responseTopicRefused(topic: string): Error {
  const message = `must be below "${DATA_RESPONSES_PREFIX}", or one that mayAnswerTo lets pass`
  return messagingValidationError('ERR_MESSAGING_RESPONSE_TOPIC', `a request wants its answer in "${topic.slice(0, 60)}", which ${message}`, [
    { path: ['payload', 'response_topic'], message },
  ])
}
