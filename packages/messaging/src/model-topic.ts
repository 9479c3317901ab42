import { createHash } from 'node:crypto'
import { DATA_RESPONSES_PREFIX } from './constants.ts'
import { kindOf, messagingValidationError } from './errors.ts'
import { MAX_TOPIC_NAME_LENGTH } from './topic-name.ts'

// An id that a topic name can have stays as it is. Any other one is written with each foreign byte as `_` and two digits behind a mark;
// one that would be too long, as its hash behind another mark. Ids that begin with a mark are written too, so that no two ids meet.
const WRITTEN_MARK = 'esc-'
const HASHED_MARK = 'sha-'
const LEGAL = /^[A-Za-z0-9._-]+$/

/** The topic of a model's answers; two ids never have the same. */
export function modelTopicName(modelId: string, prefix: string = DATA_RESPONSES_PREFIX): string {
  if (typeof modelId !== 'string' || modelId === '') {
    const message = `must be a string with something in it, got ${modelId === '' ? 'an empty one' : kindOf(modelId)}`
    throw messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `a model id ${message}`, [{ path: ['modelId'], message }])
  }
  return `${prefix}.${safeId(modelId, MAX_TOPIC_NAME_LENGTH - prefix.length - 1)}`
}

/** The model whose topic this is; null when it is no model's, or when the id was too long to be read from a name. */
export function modelIdOfTopic(topic: string, prefix: string = DATA_RESPONSES_PREFIX): string | null {
  if (!topic.startsWith(`${prefix}.`)) return null
  const safe = topic.slice(prefix.length + 1)
  if (safe === '' || safe.startsWith(HASHED_MARK)) return null
  if (!safe.startsWith(WRITTEN_MARK)) return safe
  const bytes = safe.slice(WRITTEN_MARK.length).replace(/_([0-9a-f]{2})|([^_])/g, (_, hex: string | undefined, letter: string) => hex ?? letter.charCodeAt(0).toString(16))
  return Buffer.from(bytes, 'hex').toString('utf8')
}

function safeId(id: string, maxLength: number): string {
  const isMarked = id.startsWith(WRITTEN_MARK) || id.startsWith(HASHED_MARK)
  const safe = LEGAL.test(id) && !isMarked ? id : WRITTEN_MARK + writeBytes(id)
  return safe.length <= maxLength ? safe : HASHED_MARK + createHash('sha256').update(id).digest('hex')
}

const writeBytes = (id: string): string =>
  [...Buffer.from(id)].map((byte) => (/[A-Za-z0-9.-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `_${byte.toString(16).padStart(2, '0')}`)).join('')
