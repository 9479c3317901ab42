import { readFileSync } from 'node:fs'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createDataRequest, createDataResponse } from './create-data-message.ts'
import { DataRequest, DataResponse, isValidDataRequest, isValidDataResponse } from './data-message.ts'
import { DataSource, DataType, MessageStatus, OperationType, Priority, RequestSource } from './enumerations.ts'
import { messageJsonSchema } from './json-schemas.ts'

const fixture = (name: string): string => readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url), 'utf8').trimEnd()
const clock = new FakeClock()
const REQUEST_ID = '0b9b8f3e-6c1d-4f0a-9b5e-2f4d3c2b1a00'

const fullRequest = createDataRequest({
  operation: OperationType.SEARCH_DATA,
  modelId: 'model-7',
  dataType: DataType.TEXT,
  dataSource: DataSource.WIKI,
  parameters: { query: 'wal 🐳', camelCase: { stays_as: 'itIs' } },
  batchId: 'batch-1',
  timeout: 12.5,
  maxSize: 1_048_576,
  requireFresh: true,
  tags: ['a', 'b'],
  context: { tenant: 't1' },
  requestId: REQUEST_ID,
  correlationId: 'c-1',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  sessionId: 's-1',
  priority: Priority.HIGH,
  requestSource: RequestSource.SCHEDULED,
  retryCount: 2,
  ttl: 60,
  expiresAt: '2026-01-01T00:01:00.000Z',
  clock,
})

const fullResponse = createDataResponse({
  requestId: REQUEST_ID,
  modelId: 'model-7',
  operation: OperationType.SEARCH_DATA,
  status: MessageStatus.PARTIAL,
  dataType: DataType.TEXT,
  dataSource: DataSource.WIKI,
  data: [{ title: 'Wal', score: 0.5 }, null],
  errorMessage: 'two sources did not answer',
  errorCode: 'source_unavailable',
  metrics: { sources: 3 },
  batchId: 'batch-1',
  nextCursor: 'abc',
  totalItems: 17,
  pageInfo: { page: 1 },
  metadata: { quality: 'high' },
  sourceUrl: 'https://example.org/wal',
  lastUpdated: '2025-12-31T23:59:59Z',
  processingTime: 0.25,
  cached: false,
  additionalInfo: { note: 'x' },
  clock,
})

describe('DataRequest and DataResponse', () => {
  it.each([
    ['data-request.json', fullRequest, DataRequest.fromJson],
    ['data-request-minimal.json', createDataRequest({ operation: 'fetch_data', modelId: 'm', dataType: 'mixed', requestId: REQUEST_ID, clock }), DataRequest.fromJson],
    ['data-response.json', fullResponse, DataResponse.fromJson],
    ['data-response-minimal.json', createDataResponse({ requestId: REQUEST_ID, modelId: 'm', data: null, clock }), DataResponse.fromJson],
  ])('are on the wire as %s has it, byte for byte, both ways', (name, message, fromJson) => {
    expect(message.toJson()).toBe(fixture(name))
    expect(fromJson(fixture(name))).toEqual(message)
    expect(fromJson(fixture(name)).toJson()).toBe(fixture(name))
    expect(JSON.stringify(message)).toBe(fixture(name))
  })

  it('keep, at every level, the fields that this version does not know', () => {
    const dict = fullRequest.toDict() as { metadata: object; payload: object }
    const newer = {
      metadata: { ...dict.metadata, region: 'eu', requestId: 'not the known one' },
      payload: { ...dict.payload, hints: [{ a: 1 }], unknown_fields: 1, unknownFields: { deep: true } },
      envelope: null,
    }

    const request = DataRequest.fromDict(newer)

    expect(request.toDict()).toEqual(newer)
    expect(request.metadata.requestId).toBe(REQUEST_ID)
    expect(request.metadata.unknownFields).toEqual({ region: 'eu', requestId: 'not the known one' })
    expect(new DataRequest({ ...request, payload: { ...request.payload, modelId: 'other' } }).toDict()['envelope']).toBeNull()
  })

  it('come back from the wire as they were, whatever is in them', () => {
    // Through JSON once: it has no -0.
    const json = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
    const object = fc.dictionary(fc.string({ minLength: 1 }), json, { maxKeys: 4 })
    const request = fc.record(
      {
        operation: fc.constantFrom(...Object.values(OperationType)),
        modelId: fc.string({ minLength: 1, unit: 'grapheme' }),
        dataType: fc.constantFrom(...Object.values(DataType)),
        dataSource: fc.constantFrom(...Object.values(DataSource)),
        parameters: object,
        context: object,
        tags: fc.array(fc.string()),
        priority: fc.constantFrom(...Object.values(Priority)),
        timeout: fc.nat(),
        requireFresh: fc.boolean(),
      },
      { requiredKeys: ['operation', 'modelId', 'dataType'] },
    )
    fc.assert(
      fc.property(request, object, (fields, extra) => {
        const message = createDataRequest(fields)
        const wire = { ...message.toDict(), ...Object.fromEntries(Object.entries(extra).map(([name, value]) => [`x_${name}`, value])) }

        const text = JSON.stringify(wire)
        const read = DataRequest.fromJson(text)

        expect(read.toJson()).toBe(text)
        expect(read.payload).toEqual(message.payload)
      }),
    )
  })

  it('take a null for what may be absent, and fill in what has a default', () => {
    const { metadata, payload } = fullRequest.toDict() as { metadata: Record<string, unknown>; payload: Record<string, unknown> }
    const sparse = {
      metadata: { request_id: metadata['request_id'], timestamp: '2026-01-01T00:00:00.123456', source: 'a', destination: 'b', trace_id: null },
      payload: { operation: 'fetch_data', model_id: 'm', data_type: 'text', response_topic: 'r', data_source: null, tags: payload['tags'] },
    }

    const request = DataRequest.fromDict(sparse)

    expect(request.metadata).toMatchObject({ priority: 3, requestSource: 'user', retryCount: 0 })
    expect(request.metadata.traceId).toBeUndefined()
    expect(request.payload).toMatchObject({ parameters: {}, context: {}, tags: ['a', 'b'] })
  })

  it('say which field is wrong, by its name on the wire', () => {
    const dict = fullRequest.toDict() as { metadata: object; payload: object }
    const wrong = { metadata: { ...dict.metadata, request_id: 'x', priority: 9 }, payload: { ...dict.payload, data_type: 'TEXT' } }
    const code = 'ERR_MESSAGING_INVALID_MESSAGE'

    expect(() => DataRequest.fromDict(wrong)).toThrow(
      expect.objectContaining({
        code,
        issues: [
          expect.objectContaining({ path: ['metadata', 'request_id'] }),
          expect.objectContaining({ path: ['metadata', 'priority'] }),
          expect.objectContaining({ path: ['payload', 'data_type'] }),
        ],
      }),
    )
    expect(() => DataRequest.fromJson('{')).toThrow(expect.objectContaining({ code }))
    expect(() => DataRequest.fromJson(5 as unknown as string)).toThrow(expect.objectContaining({ code }))
    expect(() => DataRequest.fromDict(null)).toThrow(expect.objectContaining({ code }))
    expect(() => createDataRequest({ operation: 'dance' as 'fetch_data', modelId: 'm', dataType: 'text' })).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ path: ['payload', 'operation'] })] }),
    )
    expect(() => new DataRequest({ ...fullRequest, metadata: { ...fullRequest.metadata, requstId: 'typo' } as never })).toThrow(expect.objectContaining({ code }))
  })

  it('answer whether a value is one, in either naming', () => {
    expect([fullRequest, fullRequest.toDict(), { ...fullRequest }].map(isValidDataRequest)).toEqual([true, true, true])
    expect([null, 5, {}, fullResponse, fullResponse.toDict(), fullRequest.toJson()].map(isValidDataRequest)).toEqual(Array(6).fill(false))
    expect([fullResponse, fullResponse.toDict()].map(isValidDataResponse)).toEqual([true, true])
    expect([undefined, fullRequest].map(isValidDataResponse)).toEqual([false, false])
  })

  it('go to where they belong unless told otherwise, and an answer names its request', () => {
    const request = createDataRequest({ operation: 'fetch_data', modelId: 'm 1', dataType: 'text' })
    const response = createDataResponse({ requestId: request.metadata.requestId, modelId: 'm 1', data: {} })

    expect(request.metadata).toMatchObject({ source: 'balance', destination: 'data', priority: 3, requestSource: 'user' })
    expect(request.payload.responseTopic).toBe('smartwhale.data.responses.esc-m_201')
    expect(response.metadata).toMatchObject({ source: 'data', destination: 'models', correlationId: request.metadata.requestId })
    expect(response.payload).toMatchObject({ status: 'success', metadata: { model_id: 'm 1' } })
  })

  it('have JSON Schemas with the names on the wire', () => {
    for (const name of ['DataRequest', 'DataResponse'] as const) {
      expect(`${JSON.stringify(messageJsonSchema(name), null, 2)}`).toBe(fixture(`${name}.schema.json`))
    }
    expect(Object.keys((messageJsonSchema('MessageMetadata') as { properties: object }).properties)).toContain('request_id')
  })
})
