import { createDataRequest, DataRequest, dataRequestSchema, isValidDataRequest } from '@smart-whale/messaging'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const ZOD = 'zod'
const COMPILED = 'compiled check'
const READ = 'compiled check, names and defaults (DataRequest.fromDict)'
const MESSAGES_PER_REPEAT = 1_000

const request = createDataRequest({
  operation: 'search_data',
  modelId: 'model-7',
  dataType: 'text',
  dataSource: 'wiki',
  parameters: { query: 'whale', limit: 20, filters: { language: 'en' } },
  tags: ['a', 'b'],
  context: { tenant: 't1' },
  priority: 2,
  ttl: 60,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
})

/** What it costs to say that a request for data is valid. */
export const messageValidation: HotPath = {
  name: 'message-validation',
  title: 'Validating a DataRequest',
  operation: 'message',
  measure: 'client CPU',
  baseline: ZOD,
  goals: [{ contender: COMPILED, against: ZOD, speedAtLeast: 4 }],
  open: async () => {
    const wire = JSON.parse(request.toJson()) as unknown
    // The same values by their names in the code, as both are given them; without keys that are undefined.
    const message = JSON.parse(JSON.stringify({ metadata: request.metadata, payload: request.payload })) as unknown
    const contender = (name: string, isValid: () => boolean): Contender => ({
      name,
      operationsPerRepeat: MESSAGES_PER_REPEAT,
      run: (repeats) => {
        for (let index = 0; index < repeats * MESSAGES_PER_REPEAT; index++) isValid()
      },
      verify: async () => requireEqual(name, isValid(), true),
    })
    const contenders = [
      contender(ZOD, () => dataRequestSchema.safeParse(message).success),
      contender(COMPILED, () => isValidDataRequest(message)),
      contender(READ, () => DataRequest.fromDict(wire).payload.modelId === 'model-7'),
    ]
    return { contenders, serverPid: null, close: async () => {} }
  },
}
