import { describe, expect, it } from 'vitest'
import { batchOf } from '../../test/support/batch-of.ts'
import { sliceDecoder } from './decode-batch.ts'
import { definePipelines, type PipelineInput } from './define-pipelines.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import { asRecorded, sliceOf, type SliceRecord, withRefusals } from './slice-records.ts'

const scope = { pipeline: 'rides', topicId: 'a-topic', partition: 3 }

function definitionOf(more: Partial<PipelineInput> = {}): PipelineDefinition {
  return definePipelines([{ topic: 'rides', fields: { time: 'timestamp', fare: 'int32' }, time: 'time', ...more }])[0] as PipelineDefinition
}

function recordsOf(definition: PipelineDefinition): SliceRecord[] {
  const decoder = sliceDecoder(definition)
  const records: SliceRecord[] = []
  decoder.begin()
  decoder.decode(batchOf([1, 2, 'bad', 4].map((fare) => JSON.stringify({ time: '2026-05-14T13:45:30Z', fare }))), records)
  decoder.end()
  return records
}

describe('withRefusals', () => {
  it('refuses those at the given offsets, where there are any, and leaves what was refused before as it is', () => {
    const offsets = [2n, 3n, 7n, 9n, 20n]
    const records = offsets.map((offset, index) => ({ batch: {}, index, offset, row: {}, refusal: offset === 7n ? { code: 'invalid', reason: 'bad' } : null }) as unknown as SliceRecord)
    const given = [20n, 2n, 7n, 0n, 8n, 21n, 3n]

    const refused = withRefusals(records, new Map(given.map((offset) => [offset, `reason ${offset}`])))

    expect(refused.map(({ offset, refusal }) => [offset, refusal?.reason ?? null])).toEqual([[2n, 'reason 2'], [3n, 'reason 3'], [7n, 'bad'], [9n, null], [20n, 'reason 20']])
    expect(refused.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
    expect(records.filter(({ refusal }) => refusal === null)).toHaveLength(4)
    expect(withRefusals([], new Map([[1n, 'none']]))).toEqual([])
  })
})

describe('asRecorded', () => {
  const drop = (below: number): Partial<PipelineInput> => ({ transform: [{ drop: { field: 'fare', less: below } }] })

  it.each<[string, Partial<PipelineInput>]>([
    ['only reads fields', {}],
    ['reads them into columns', { sinks: ['clickhouse'] }],
    ['transforms', drop(2)],
    ['routes', { route: [{ when: { field: 'fare', equals: 1 }, sinks: ['clickhouse'] }] }],
  ])('parts the records as they were, for a definition that %s', (_what, more) => {
    const definition = definitionOf(more)
    const slice = sliceOf(scope, recordsOf(definition), definition.fingerprint)

    const again = asRecorded(recordsOf(definition), slice, scope, definition.fingerprint)

    expect(again.filter((record) => record.refusal !== null).map((record) => record.offset)).toEqual([2n])
    expect(sliceOf(scope, again, definition.fingerprint)).toEqual(slice)
  })

  it.each<[string, Partial<PipelineInput>, Partial<PipelineInput>]>([
    ['another record is left out', drop(2), drop(3)],
    ['a transform was added', {}, drop(0)],
    ['a transform is gone', drop(0), {}],
    ['a row goes elsewhere', { route: [{ sinks: ['clickhouse'] }] }, { route: [{ sinks: ['timescaledb'] }] }],
    ['a field is read as another type', {}, { fields: { time: 'timestamp', fare: 'int64' } }],
    ['a field is not read any more', {}, { fields: { time: 'timestamp' } }],
    ['a good record is refused', {}, { fields: { time: 'timestamp', fare: 'string' } }],
  ])('refuses to repeat a slice when %s', (_what, before, after) => {
    const [then, now] = [definitionOf(before), definitionOf(after)]
    const slice = sliceOf(scope, recordsOf(then), then.fingerprint)

    expect(() => asRecorded(recordsOf(now), slice, scope, now.fingerprint)).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_DEFINITION_CHANGED' }))
  })
})
