import type { InfrastructureError } from '@smart-whale/interfaces'
import { messagingError } from '../../errors.ts'

/** The topic was deleted, and another one made under its name: its records and offsets are not those that were read so far. */
export function topicReplaced(topic: string, wantedId: string, foundId: string): InfrastructureError {
  return messagingError('ERR_MESSAGING_TOPIC_NOT_FOUND', `topic "${topic}" was deleted and made again: open the new one, which begins at offset 0`, {
    context: { topic, wantedId, foundId },
    status: 404,
  })
}
