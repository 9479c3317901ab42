import type { z } from 'zod'
import { compiledCheckOf } from './compiled-check.ts'
import { dataRequestSchema, dataResponseSchema, type MessageMetadata, type RequestPayload, type ResponsePayload } from './message-schemas.ts'
import { checkMessage, fromWire, parseJson, toWire, type WithUnknownFields } from './wire-codec.ts'

/** What a {@link DataRequest} is made from. */
export interface DataRequestFields extends WithUnknownFields {
  readonly metadata: MessageMetadata & WithUnknownFields
  readonly payload: RequestPayload & WithUnknownFields
}

/** What a {@link DataResponse} is made from. */
export interface DataResponseFields extends WithUnknownFields {
  readonly metadata: MessageMetadata & WithUnknownFields
  readonly payload: ResponsePayload & WithUnknownFields
}

/**
 * A request for data. In code its names are in camelCase, on the wire in snake_case; fields of a newer version are kept
 * in `unknownFields`, where they were, and sent on.
 */
export class DataRequest implements DataRequestFields {
  readonly metadata: DataRequestFields['metadata']
  readonly payload: DataRequestFields['payload']
  declare readonly unknownFields?: DataRequestFields['unknownFields']

  /** @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` that names each wrong field */
  constructor(fields: DataRequestFields) {
    const checked = checkMessage('DataRequest', dataRequestSchema, { ...fields }) as DataRequestFields
    this.metadata = checked.metadata
    this.payload = checked.payload
    if (checked.unknownFields !== undefined) this.unknownFields = checked.unknownFields
  }

  /** @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` that names each wrong field, as on the wire */
  static fromDict(dict: unknown): DataRequest {
    return adopt(DataRequest, fromWire('DataRequest', dataRequestSchema, dict))
  }

  /** @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` that names each wrong field, as on the wire */
  static fromJson(json: string): DataRequest {
    return DataRequest.fromDict(parseJson('DataRequest', json))
  }

  /** The message as an object with its names on the wire. */
  toDict(): Record<string, unknown> {
    return toWire('DataRequest', dataRequestSchema, { ...this })
  }

  /** The message as a JSON text with its names on the wire. */
  toJson(): string {
    return JSON.stringify(this.toDict())
  }

  /** For `JSON.stringify`: the same as {@link toDict}. */
  toJSON(): Record<string, unknown> {
    return this.toDict()
  }
}

/** The answer to a {@link DataRequest}; what is said there of names and unknown fields holds here too. */
export class DataResponse implements DataResponseFields {
  readonly metadata: DataResponseFields['metadata']
  readonly payload: DataResponseFields['payload']
  declare readonly unknownFields?: DataResponseFields['unknownFields']

  /** @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` that names each wrong field */
  constructor(fields: DataResponseFields) {
    const checked = checkMessage('DataResponse', dataResponseSchema, { ...fields }) as DataResponseFields
    this.metadata = checked.metadata
    this.payload = checked.payload
    if (checked.unknownFields !== undefined) this.unknownFields = checked.unknownFields
  }

  /** @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` that names each wrong field, as on the wire */
  static fromDict(dict: unknown): DataResponse {
    return adopt(DataResponse, fromWire('DataResponse', dataResponseSchema, dict))
  }

  /** @throws ValidationError `ERR_MESSAGING_INVALID_MESSAGE` that names each wrong field, as on the wire */
  static fromJson(json: string): DataResponse {
    return DataResponse.fromDict(parseJson('DataResponse', json))
  }

  /** The message as an object with its names on the wire. */
  toDict(): Record<string, unknown> {
    return toWire('DataResponse', dataResponseSchema, { ...this })
  }

  /** The message as a JSON text with its names on the wire. */
  toJson(): string {
    return JSON.stringify(this.toDict())
  }

  /** For `JSON.stringify`: the same as {@link toDict}. */
  toJSON(): Record<string, unknown> {
    return this.toDict()
  }
}

/** An instance with fields that were checked already. */
const adopt = <Message extends object>(type: { readonly prototype: Message }, fields: object): Message => Object.assign(Object.create(type.prototype) as Message, fields)

/** Whether a value is a valid request, in code's names or those of the wire. */
export function isValidDataRequest(value: unknown): boolean {
  return isSurelyValid(dataRequestSchema, value) || isValid(value, (fields) => new DataRequest(fields as DataRequestFields), DataRequest.fromDict)
}

/** Whether a value is a valid response, in code's names or those of the wire. */
export function isValidDataResponse(value: unknown): boolean {
  return isSurelyValid(dataResponseSchema, value) || isValid(value, (fields) => new DataResponse(fields as DataResponseFields), DataResponse.fromDict)
}

/** The quick answer, for a message in code's names that has no unknown fields. Not for what has too many levels. */
function isSurelyValid(schema: z.ZodType, value: unknown): boolean {
  try {
    return compiledCheckOf(schema)(value)
  } catch {
    return false
  }
}

function isValid(value: unknown, ...readings: readonly ((value: unknown) => unknown)[]): boolean {
  return readings.some((read) => {
    try {
      read(value)
      return true
    } catch {
      return false
    }
  })
}
