import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConnectionError, OperationError } from '@smart-whale/interfaces'
import { DATA_REQUESTS_TOPIC } from '../constants.ts'
import { KafkaService } from '../kafka-service.ts'
import { createMemoryTransport } from '../memory/index.ts'
import { createDataRequest } from '../schemas/create-data-message.ts'
import type { DataResponse } from '../schemas/data-message.ts'
import { DataType, OperationType } from '../schemas/enumerations.ts'
import type { MessagingTransport } from '../transport.ts'
import { answerFromTables, type AnswerFromTablesOptions, type TablePage, type TableQuery } from './answer-from-tables.ts'

let transport: MessagingTransport
let service: KafkaService
let asked: TableQuery[]
let page: () => Promise<TablePage>

beforeEach(async () => {
  transport = createMemoryTransport()
  await transport.start()
  service = new KafkaService(transport, { manageTransport: false })
  await service.connect()
  await service.createTopic(DATA_REQUESTS_TOPIC, 1)
  asked = []
  page = async () => ({ rows: [{ id: 9007199254740993n, time: new Date(0) }], nextCursor: 'next' })
})

afterEach(async () => {
  await service.disconnect()
  await transport.stop()
})

async function serve(options: Partial<AnswerFromTablesOptions> = {}): Promise<void> {
  const rides = {
    read: (query: TableQuery) => {
      asked.push(query)
      return page()
    },
  }
  await service.serveDataRequests('answerers', answerFromTables({ tables: new Map([['rides', rides]]), ...options }))
}

function ask(parameters: Record<string, unknown>, operation: string = OperationType.FETCH_DATA, more: object = {}): Promise<DataResponse> {
  return service.request(createDataRequest({ operation: operation as typeof OperationType.FETCH_DATA, modelId: 'm1', dataType: DataType.STRUCTURED, parameters: parameters as never, ...more }), { timeout: 5_000 })
}

describe('answerFromTables', () => {
  it('answers with rows and the cursor of the next page, to the one who asked', async () => {
    await serve()
    const response = await ask({ table: 'rides', start: '2026-01-01T00:00:00Z', filter: { city: 'Oslo' }, limit: 5 })

    expect(response.payload).toMatchObject({ status: 'success', data: [{ id: '9007199254740993', time: '1970-01-01T00:00:00.000Z' }], nextCursor: 'next', totalItems: 1, operation: 'fetch_data' })
    expect(asked).toEqual([{ start: new Date('2026-01-01T00:00:00Z'), filter: { city: 'Oslo' }, limit: 5, order: 'asc' }])
  })

  it.each<[string, Record<string, unknown>, string, string, RegExp]>([
    ['an unknown table', { table: 'nope' }, 'fetch_data', 'no_data_found', /there is no table "nope"/],
    ['no table', {}, 'fetch_data', 'invalid_request', /parameters\.table/],
    ['a time that is none', { table: 'rides', start: 'yesterday' }, 'fetch_data', 'invalid_request', /parameters\.start/],
    ['a parameter that is none', { table: 'rides', sql: 'drop' }, 'fetch_data', 'invalid_request', /sql/],
    ['a search for nothing', { table: 'rides' }, 'search_data', 'invalid_request', /what to search for/],
    ['another operation', { table: 'rides' }, 'delete_data', 'invalid_request', /is not answered here/],
    ['a token that nobody waits for', { table: 'rides', wait_for: 'x' }, 'fetch_data', 'invalid_request', /wait_for/],
  ])('answers %s with an error that says so', async (_name, parameters, operation, code, message) => {
    await serve()
    const { payload } = await ask(parameters, operation)

    expect(payload).toMatchObject({ status: 'error', errorCode: code, errorMessage: expect.stringMatching(message) as string })
    expect(asked).toEqual([])
  })

  it('gives no more rows and bytes than it may', async () => {
    await serve({ maxRows: 10, maxBytes: 100 })
    await ask({ table: 'rides', limit: 1000 })
    expect(asked[0]?.limit).toBe(10)

    page = async () => ({ rows: [{ text: 'x'.repeat(200) }], nextCursor: null })
    expect((await ask({ table: 'rides' })).payload).toMatchObject({ errorCode: 'invalid_request', errorMessage: expect.stringMatching(/may have 100/) as string })
  })

  it('shows only the rows that the policy allows, whatever is asked for', async () => {
    await serve({ authorize: async (request) => (request.payload.modelId === 'm1' ? { filter: { tenant: 'a' } } : Promise.reject(new OperationError('not yours', { code: 'ERR_DENIED', status: 403 }))) })
    await ask({ table: 'rides', filter: { city: 'Oslo' } })
    expect(asked[0]?.filter).toEqual({ city: 'Oslo', tenant: 'a' })

    expect((await ask({ table: 'rides', filter: { tenant: 'b' } })).payload).toMatchObject({ status: 'success', data: [] })
    expect((await ask({ table: 'rides' }, OperationType.FETCH_DATA, { modelId: 'm2' })).payload).toMatchObject({ status: 'error', errorMessage: 'not yours' })
    expect(asked).toHaveLength(1)
  })

  it('says that a store is away without saying where it is', async () => {
    await serve()
    page = () => Promise.reject(new ConnectionError('postgres://u:secret@h does not answer'))

    expect((await ask({ table: 'rides' })).payload).toMatchObject({ status: 'error', errorCode: 'source_unavailable', errorMessage: 'the request could not be answered' })
  })
})
