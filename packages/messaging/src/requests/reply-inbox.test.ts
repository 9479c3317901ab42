import { silentLogger, systemClock } from '@smart-whale/interfaces'
import { expect, it } from 'vitest'
import type { MessagingTransport } from '../transport.ts'
import { ReplyInbox } from './reply-inbox.ts'

it('leaves no reader open when one of its partitions can not be read', async () => {
  const closed: number[] = []
  const openPartition = async (_topic: string, partition: number) => ({
    seek: () => {},
    close: async () => void closed.push(partition),
    bounds: async () => {
      if (partition === 1) throw new RangeError('away')
      return { earliest: 0n, latest: 0n }
    },
  })
  const transport = { topics: { describe: async () => ({ partitions: 3 }) }, openPartition } as unknown as MessagingTransport
  const inbox = new ReplyInbox({ transport, topic: 'answers', timeoutMs: 1_000, clock: systemClock, logger: silentLogger, onRecord: () => {} })

  await expect(inbox.open()).rejects.toThrow('away')

  expect(closed.toSorted()).toEqual([0, 1, 2])
})
