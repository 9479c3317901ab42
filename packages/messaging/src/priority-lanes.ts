import { PRIORITY_BACKGROUND, PRIORITY_CRITICAL, PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_MEDIUM } from './constants.ts'
import { kindOf, messagingValidationError } from './errors.ts'
import { suffixedTopic } from './topic-name.ts'

// A topic's partition is read from front to back: what is urgent can pass what is not only if it lies in another topic.
const SUFFIXES = new Map<number, string>([
  [PRIORITY_CRITICAL, '.critical'],
  [PRIORITY_HIGH, '.high'],
  [PRIORITY_MEDIUM, ''],
  [PRIORITY_LOW, '.low'],
  [PRIORITY_BACKGROUND, '.background'],
])

/** The topic in which messages of a priority travel: `<topic>.critical`, `.high`, the topic itself for medium, `.low`, `.background`. */
export function laneTopic(topic: string, priority: number): string {
  const suffix = SUFFIXES.get(priority)
  if (suffix !== undefined) return suffixedTopic(topic, suffix)
  const message = `must be one of Priority, ${PRIORITY_CRITICAL} to ${PRIORITY_BACKGROUND}, got ${kindOf(priority)}`
  throw messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `priority ${message}`, [{ path: ['priority'], message }])
}

/** All lanes of a topic, the most urgent first. */
export const laneTopics = (topic: string): readonly { readonly topic: string; readonly priority: number }[] =>
  [...SUFFIXES.keys()].map((priority) => ({ topic: laneTopic(topic, priority), priority }))
