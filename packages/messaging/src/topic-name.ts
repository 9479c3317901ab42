import { createHash } from 'node:crypto'
import { kindOf, messagingValidationError } from './errors.ts'

/** The longest name that Kafka takes for a topic. */
export const MAX_TOPIC_NAME_LENGTH = 249

const LEGAL_NAME = /^[A-Za-z0-9._-]+$/

/**
 * Lets a legal topic name pass.
 *
 * @throws ValidationError `ERR_MESSAGING_TOPIC_NAME` for anything that Kafka would refuse
 */
export function checkTopicName(name: unknown): asserts name is string {
  const problem = problemOf(name)
  if (problem === undefined) return
  throw messagingValidationError('ERR_MESSAGING_TOPIC_NAME', `${describe(name)} can't be a topic: ${problem}`, [
    { path: ['topic'], message: problem },
  ])
}

/** A topic that belongs to another one. A name that the suffix would make too long is cut, with a hash of the whole. */
export function suffixedTopic(topic: string, suffix: string): string {
  checkTopicName(topic)
  if (topic.length + suffix.length <= MAX_TOPIC_NAME_LENGTH) return topic + suffix
  const hash = createHash('sha256').update(topic).digest('hex').slice(0, 16)
  return `${topic.slice(0, MAX_TOPIC_NAME_LENGTH - suffix.length - hash.length - 1)}-${hash}${suffix}`
}

/** Whether Kafka would take the name. */
export const isTopicName = (name: unknown): name is string => problemOf(name) === undefined

function problemOf(name: unknown): string | undefined {
  if (typeof name !== 'string') return `a topic name must be a string, got ${kindOf(name)}`
  if (name === '') return 'a topic name must not be empty'
  if (name.length > MAX_TOPIC_NAME_LENGTH) return `a topic name may have ${MAX_TOPIC_NAME_LENGTH} characters, this one has ${name.length}`
  if (name === '.' || name === '..') return 'a topic name must not be "." or ".."'
  if (!LEGAL_NAME.test(name)) return 'a topic name may have letters, digits, ".", "_" and "-" only'
  return undefined
}

const describe = (name: unknown): string => (typeof name === 'string' ? `"${name.slice(0, 60)}"` : kindOf(name))
