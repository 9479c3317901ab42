import { describe, expect, it } from 'vitest'
import { definePipelines, eventDecoder } from '@smart-whale/messaging/pipeline'
import { EVENT_PIPELINE } from './event.ts'
import { poisonedRecord } from './poison.ts'

const plan = { seed: 3, badShare: 0.1, refusedEvery: 10_000, hugeEvery: 100_000 }

describe('poisonedRecord', () => {
  it('makes the same record for the same number', () => {
    for (let sequence = 0; sequence < 200; sequence++) expect(poisonedRecord(sequence, plan)).toEqual(poisonedRecord(sequence, plan))
  })

  it('makes events of 5 MB and of a hundred thousand levels, in turn', () => {
    const sizes = [50_000, 150_000].map((sequence) => Buffer.byteLength(poisonedRecord(sequence, plan).record.value ?? ''))

    expect(sizes[0]).toBeGreaterThan(5_000_000)
    expect(sizes[1]).toBeGreaterThan(200_000)
  })

  it('makes about the share of bad ones, and none that a pipeline would take', () => {
    const [definition] = definePipelines([EVENT_PIPELINE])
    const decode = eventDecoder(definition as NonNullable<typeof definition>)
    let bad = 0
    for (let sequence = 0; sequence < 5000; sequence++) {
      const { record, isGood } = poisonedRecord(sequence, plan)
      const { refusal } = decode(record.value === null ? null : Buffer.from(record.value))
      expect(refusal === null, `event ${sequence}: ${String(record.value).slice(0, 200)}`).toBe(isGood)
      if (!isGood) bad++
    }

    expect(bad).toBeGreaterThan(400)
    expect(bad).toBeLessThan(600)
  })
})
