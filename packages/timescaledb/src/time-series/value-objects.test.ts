import { describe, expect, it } from 'vitest'
import { TableSchema } from './table-schema.ts'
import { TimeSeriesData } from './time-series-data.ts'

describe('TimeSeriesData', () => {
  it('is a point that nobody can change', () => {
    const metadata = { unit: 'K', tags: ['a'] }
    const point = TimeSeriesData.parse({ id: 'sensor', timestamp: '2001-01-01T00:00:00Z', value: 1.5, metadata })
    point.timestamp.setUTCFullYear(1999)

    expect(point.timestamp).toEqual(new Date('2001-01-01T00:00:00Z'))
    expect(() => (point.metadata['tags'] as string[]).push('b')).toThrow(TypeError)
    expect(JSON.parse(JSON.stringify(point))).toEqual({ id: 'sensor', timestamp: '2001-01-01T00:00:00.000Z', value: 1.5, metadata })
  })

  it('leaves what it was made from as it was', () => {
    const metadata = { tags: ['a'] }
    TimeSeriesData.parse({ id: 'sensor', timestamp: 0, value: null, metadata })

    metadata.tags.push('b')
    expect(metadata.tags).toEqual(['a', 'b'])
  })

  it('names every field that is wrong', () => {
    const wrong = { id: '', timestamp: 'noon', value: Number.NaN, metadata: { text: 'a\0' }, extra: 1 }

    expect(() => TimeSeriesData.parse(wrong as never, [7])).toThrow(
      expect.objectContaining({
        issues: expect.arrayContaining([
          expect.objectContaining({ path: [7, 'id'] }),
          expect.objectContaining({ path: [7, 'timestamp'] }),
          expect.objectContaining({ path: [7, 'value'] }),
        ]),
      }),
    )
  })
})

describe('TableSchema', () => {
  const good = { name: 'readings', columns: { at: 'timestamptz not null', sensor: 'text not null', value: 'numeric(10, 2)' }, timeColumn: 'at', primaryKey: ['sensor', 'at'] }

  it('gives a table definition', () => {
    const schema = TableSchema.parse(good)

    expect(schema.toDefinition()).toEqual({ columns: good.columns, primaryKey: ['sensor', 'at'] })
    expect(schema.chunkInterval).toBe('7 days')
  })

  it.each<[string, Record<string, unknown>, (string | number)[]]>([
    ['a time column that is not there', { timeColumn: 'nope' }, ['timeColumn']],
    ['a time column of another type', { timeColumn: 'sensor' }, ['columns', 'sensor']],
    ['a key without the time', { primaryKey: ['sensor'] }, ['primaryKey']],
    ['a key of unknown columns', { primaryKey: ['nope', 'at'] }, ['primaryKey', 0]],
    ['an interval that is none', { chunkInterval: 'soon' }, ['chunkInterval']],
    ['a type that is more than a type', { columns: { ...good.columns, value: 'int); drop table x; --' } }, ['columns', 'value']],
    ['a name that PostgreSQL would cut off', { name: 'n'.repeat(64) }, ['name']],
  ])('refuses %s', (_what, change, path) => {
    expect(() => TableSchema.parse({ ...good, ...change } as never)).toThrow(expect.objectContaining({ issues: expect.arrayContaining([expect.objectContaining({ path })]) }))
  })
})
