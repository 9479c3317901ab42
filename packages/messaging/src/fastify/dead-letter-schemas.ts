import type { DeadLetterSelection } from '../dead-letters/select-dead-letters.ts'

/** A selection as a request's body has it. */
export interface SelectionBody {
  codes?: string[]
  reasonContains?: string
  schemaVersions?: (string | null)[]
  positions?: { partition: number; offset: string }[]
  originPartition?: number
  since?: string
  until?: string
}

/** A selection as a query string has it, and how much is shown. */
export interface LetterQuery {
  code?: string
  reasonContains?: string
  schemaVersion?: string
  partition?: number
  offset?: string
  limit?: number
  maxBytes?: number
}

/** Reads a selection from either form. */
export function selectionFrom(given: SelectionBody | LetterQuery): DeadLetterSelection {
  const { codes, schemaVersions, positions, originPartition, since, until, code, schemaVersion, partition, offset, reasonContains } = given as SelectionBody & LetterQuery
  return {
    codes: codes ?? listOf(code),
    schemaVersions: schemaVersions ?? listOf(schemaVersion),
    positions: positions?.map((place) => ({ partition: place.partition, offset: BigInt(place.offset) })) ?? (offset === undefined ? undefined : [{ partition: partition ?? 0, offset: BigInt(offset) }]),
    reasonContains,
    originPartition,
    since: since === undefined ? undefined : new Date(since),
    until: until === undefined ? undefined : new Date(until),
  }
}

const listOf = (value: string | undefined): string[] | undefined => (value === undefined ? undefined : [value])

const problem = { type: 'object', additionalProperties: true, properties: { title: { type: 'string' }, status: { type: 'integer' }, detail: { type: 'string' }, code: { type: 'string' } } } as const
const params = { type: 'object', properties: { topic: { type: 'string', maxLength: 249 } }, required: ['topic'] } as const
const offset = { type: 'string', pattern: '^[0-9]{1,18}$' } as const
const position = { type: 'object', properties: { partition: { type: 'integer', minimum: 0 }, offset }, required: ['partition', 'offset'], additionalProperties: false } as const
const answers = (ok: object): object => ({ 200: ok, '4xx': problem, '5xx': problem })

const selectionProperties = {
  codes: { type: 'array', items: { type: 'string' }, maxItems: 100 },
  reasonContains: { type: 'string', maxLength: 1000 },
  schemaVersions: { type: 'array', items: { type: 'string', nullable: true }, maxItems: 100 },
  positions: { type: 'array', items: position, maxItems: 10_000 },
  originPartition: { type: 'integer', minimum: 0 },
  since: { type: 'string', format: 'date-time' },
  until: { type: 'string', format: 'date-time' },
} as const

const open = { type: 'object', additionalProperties: true } as const

/** `GET /dead-letters/{topic}` */
export const groupsSchema = {
  tags: ['dead letters'],
  summary: 'What the dead letters of a topic died of',
  params,
  response: answers({ type: 'object', properties: { topic: { type: 'string' }, letters: { type: 'integer' }, groups: { type: 'array', items: open } } }),
} as const

/** `GET /dead-letters/{topic}/letters` */
export const lettersSchema = {
  tags: ['dead letters'],
  summary: 'Single dead letters, with where they come from and what is in them',
  params,
  querystring: {
    type: 'object',
    properties: {
      code: { type: 'string', maxLength: 200 },
      reasonContains: { type: 'string', maxLength: 1000 },
      schemaVersion: { type: 'string', maxLength: 200 },
      partition: { type: 'integer', minimum: 0 },
      offset,
      limit: { type: 'integer', minimum: 1, maximum: 500, default: 20 },
      maxBytes: { type: 'integer', minimum: 0, maximum: 1_048_576, default: 4096 },
    },
    additionalProperties: false,
  },
  response: answers({ type: 'object', properties: { topic: { type: 'string' }, letters: { type: 'array', items: open } } }),
} as const

/** `POST /dead-letters/{topic}/replay` */
export const replaySchema = {
  tags: ['dead letters'],
  summary: 'Sends dead letters back into their topic, mended if need be',
  description: 'Each letter goes back at most once, however often this is called. Letters that would die again stay where they are. `dryRun` only tells.',
  params,
  body: { type: 'object', properties: { ...selectionProperties, patch: open, dryRun: { type: 'boolean', default: false } }, additionalProperties: false },
  response: answers(open),
} as const

/** `POST /dead-letters/{topic}/drop` */
export const dropSchema = {
  tags: ['dead letters'],
  summary: 'Notes that dead letters are not to be sent again',
  params,
  body: { type: 'object', properties: selectionProperties, additionalProperties: false, minProperties: 1 },
  response: answers({ type: 'object', properties: { topic: { type: 'string' }, dropped: { type: 'integer' } } }),
} as const
