import { describe, expect, it } from 'vitest'
import { MAX_TOPIC_NAME_LENGTH } from '../topic-name.ts'
import type { ReadRecord } from './read-record.ts'
import { readRetried, RETRY_HEADERS, retryDelays, type RetryTopicsOptions, retryTopic } from './retry-topic.ts'

const record = (headers: Record<string, string>): ReadRecord => ({
  topic: 'orders.retry.1',
  partition: 2,
  offset: 7n,
  key: null,
  value: null,
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  timestamp: 99,
})

describe('retry topics', () => {
  it('wait longer each time, up to a bound', () => {
    expect(retryDelays({})).toEqual([1_000, 10_000, 100_000])
    expect(retryDelays({ attempts: 4, baseDelayMs: 500, factor: 4, maxDelayMs: 5_000 })).toEqual([500, 2_000, 5_000, 5_000])
    expect(retryDelays({ delaysMs: [5, 1] })).toEqual([5, 1])
  })

  it.each<RetryTopicsOptions>([{ delaysMs: [] }, { delaysMs: [-1] }, { delaysMs: [Number.NaN] }, { attempts: 0 }, { attempts: 1.5 }, { attempts: 21 }, { factor: 0 }, { baseDelayMs: Infinity }])(
    'refuse %o',
    (options) => {
      expect(() => retryDelays(options)).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_OPTION' }) as Error)
    },
  )

  it('have names that Kafka takes, each its own', () => {
    const long = 'x'.repeat(MAX_TOPIC_NAME_LENGTH)

    expect(retryTopic('orders', 3)).toBe('orders.retry.3')
    expect(retryTopic(long, 1)).toHaveLength(MAX_TOPIC_NAME_LENGTH)
    expect(retryTopic(long, 1)).not.toBe(retryTopic(`${long.slice(1)}y`, 1))
  })

  it('hold what somebody else put there as what it is, due now, of the topic that they belong to', () => {
    const { origin, groupId, dueAtMs } = readRetried(
      record({ mine: 'x', [RETRY_HEADERS.topic]: 'secrets', [RETRY_HEADERS.offset]: '-5', [RETRY_HEADERS.partition]: 'NaN', [RETRY_HEADERS.due]: '1e400', [RETRY_HEADERS.timestamp]: '' }),
      'orders',
      1,
    )

    expect({ ...origin, headers: Object.keys(origin.headers) }).toEqual({ topic: 'orders', partition: 2, offset: 7n, timestamp: 99, key: null, value: null, headers: ['mine'] })
    expect([groupId, dueAtMs]).toEqual([undefined, undefined])
  })
})
