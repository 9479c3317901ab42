import { describe, expect, it } from 'vitest'
import type { ColumnBatch } from '@smart-whale/interfaces'
import { batchOf } from '../../../test/support/batch-of.ts'
import { sliceDecoder } from '../decode-batch.ts'
import { definePipelines } from '../define-pipelines.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import { type SliceRecord, withRefusals } from '../slice-records.ts'
import { rowsOfRecords } from './slice-columns.ts'

const [definition] = definePipelines([{ topic: 'rides', fields: { time: 'timestamp', name: 'string' }, time: 'time' }]) as [PipelineDefinition]
const event = (name: string): string => `{"time":"2026-01-31T12:34:56Z","name":"${name}"}`

/** A slice of two batches, with an event that isn't plain and one that is no event. */
function slice(): readonly SliceRecord[] {
  const decoder = sliceDecoder(definition)
  const records: SliceRecord[] = []
  decoder.begin()
  decoder.decode(batchOf([event('a'), '{"name":', event('b'), event('\\u0063')]), records)
  decoder.decode({ ...batchOf([event('d'), event('e')]), offsetAt: (index) => BigInt(4 + index) }, records)
  decoder.end()
  return records
}

/** The texts of a column. */
function textsOf(batch: ColumnBatch | undefined, wanted: string): string[] | undefined {
  const bytes = batch?.columns.find(({ name }) => name === wanted)?.bytes
  if (bytes === undefined) return undefined
  const texts: string[] = []
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] as number)) texts.push(Buffer.from(bytes).toString('utf8', at + 1, at + 1 + (bytes[at] as number)))
  return texts
}

describe('the columns of a slice', () => {
  it('are those of its good records, whatever lies between them', () => {
    const good = slice().filter(({ refusal }) => refusal === null)

    const { columns, rows } = rowsOfRecords(good)

    expect(textsOf(columns, 'name')).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(columns).toBe(good[0]?.columns)
    expect(rows.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('lack what a store refuses', () => {
    const records = slice()
    const refused = withRefusals(records, new Map([records[2], records[5]].map((record) => [record?.offset ?? -1n, 'too much'])))
    const good = refused.filter(({ refusal }) => refusal === null)

    const { columns, rows } = rowsOfRecords(good)

    expect(columns?.rows).toBe(3)
    expect(textsOf(columns, 'name')).toEqual(['a', 'c', 'd'])
    expect(rows.map(({ name }) => name)).toEqual(['a', 'c', 'd'])
  })
})
