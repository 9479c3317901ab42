import { describe, expect, inject, it } from 'vitest'
import { fetchMetadata } from '../src/kafka/kafka-wire.ts'

describe('the engines of a run', () => {
  it('include a broker that answers', async (context) => {
    const kafka = inject('kafka')
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)

    const metadata = await fetchMetadata(kafka.found.brokers[0] as string)

    expect(metadata.brokers).toHaveLength(kafka.found.brokers.length)
  })
})
