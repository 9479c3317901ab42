import { describe, expect, it } from 'vitest'
import { DEAD_LETTER_HEADROOM, deadLetterSettings, letterRisksOf, retryTopicSettings } from './beside-topic.ts'
import type { TopicDescription } from './transport.ts'

const topic = (configs: Record<string, string>): TopicDescription => ({ name: 'rides', id: 'r', partitions: 4, replication: 3, configs })

describe('the topic of dead letters', () => {
  it('keeps them for good, whatever their topic does with its messages', () => {
    const { configs } = deadLetterSettings(topic({ 'retention.ms': '3600000', 'retention.bytes': '1000', 'cleanup.policy': 'compact' }))

    expect(configs).toMatchObject({ 'retention.ms': '-1', 'retention.bytes': '-1', 'cleanup.policy': 'delete' })
  })

  it('takes whatever its topic takes, as safely and over as many partitions', () => {
    const settings = deadLetterSettings(topic({ 'max.message.bytes': '5000000', 'min.insync.replicas': '2' }))

    expect(settings).toMatchObject({ partitions: 4, replication: 3 })
    expect(settings.configs).toMatchObject({ 'max.message.bytes': String(5_000_000 + DEAD_LETTER_HEADROOM), 'min.insync.replicas': '2' })
  })
})

describe('the topic of retries', () => {
  it.each([
    ['604800000', 60_000, '604860000'],
    ['-1', 60_000, '-1'],
    [undefined, 60_000, '-1'],
  ])('keeps a message as long as its topic does (%s ms), and its wait of %d ms besides', (retention, delayMs, expected) => {
    const { configs } = retryTopicSettings(topic(retention === undefined ? {} : { 'retention.ms': retention }), delayMs)

    expect(configs).toMatchObject({ 'retention.ms': expected, 'retention.bytes': '-1', 'cleanup.policy': 'delete' })
  })
})

describe('letterRisksOf', () => {
  it('finds none in the topic that we make', () => {
    expect(letterRisksOf({ configs: deadLetterSettings(null).configs ?? {} })).toEqual([])
  })

  it.each([
    [{ 'retention.ms': '604800000' }, 'retention.ms = 604800000: dead letters are removed after 7 days'],
    [{ 'retention.ms': '7200000' }, 'after 2 hours'],
    [{ 'retention.bytes': '1000' }, 'retention.bytes = 1000'],
    [{ 'cleanup.policy': 'compact,delete' }, 'cleanup.policy = compact'],
  ])('names what to set instead of %j', (configs, said) => {
    expect(letterRisksOf({ configs })).toEqual([expect.stringContaining(said)])
  })
})
