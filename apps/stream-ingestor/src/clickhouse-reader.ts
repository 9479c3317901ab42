import { type ClickHouseAdapter, typed } from '@smart-whale/clickhouse/ingest'
import { type Row, ValidationError } from '@smart-whale/interfaces'
import type { TablePage, TableQuery, TableReader } from '@smart-whale/messaging'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'

/** Where a page ended: time, partition and offset of its last row, which no other row shares. */
type Position = readonly [timeMs: string, partition: string, offset: string]

/** Reads the table of a pipeline in ClickHouse along its time. Names come from the definition, values are bound. */
export function clickhouseReader(clickhouse: ClickHouseAdapter, definition: PipelineDefinition): TableReader {
  const names = [...Object.keys(definition.columns), 'event_id']
  return {
    read: async (query, { signal }): Promise<TablePage> => {
      const { conditions, params } = conditionsOf(definition, names, query)
      const direction = query.order === 'asc' ? 'ASC' : 'DESC'
      const position = `toUnixTimestamp64Milli(\`${definition.time}\`) AS position_time, source_partition AS position_partition, source_offset AS position_offset`
      const sql = `SELECT ${names.map((name) => `\`${name}\``).join(', ')}, ${position} FROM \`${definition.tables.clickhouse}\` WHERE ${conditions.join(' AND ')} ORDER BY \`${definition.time}\` ${direction}, source_partition ${direction}, source_offset ${direction} LIMIT {limit:UInt32}`
      const { rows } = await clickhouse.execute<Row>(sql, { ...params, limit: query.limit + 1 }, { signal })
      const page = rows.slice(0, query.limit)
      const last = page.at(-1)
      return { rows: page.map(({ position_time: _time, position_partition: _partition, position_offset: _offset, ...row }) => row), nextCursor: rows.length > query.limit && last !== undefined ? cursorAfter(last) : null }
    },
  }
}

function conditionsOf(definition: PipelineDefinition, names: readonly string[], { start, end, filter = {}, order, cursor }: TableQuery): { conditions: string[]; params: Record<string, unknown> } {
  const time = `\`${definition.time}\``
  const conditions = ['1']
  const params: Record<string, unknown> = {}
  if (start !== undefined) conditions.push(`${time} >= fromUnixTimestamp64Milli({start:Int64})`)
  if (end !== undefined) conditions.push(`${time} < fromUnixTimestamp64Milli({end:Int64})`)
  if (start !== undefined) params.start = start.getTime()
  if (end !== undefined) params.end = end.getTime()
  for (const [index, [name, value]] of Object.entries(filter).entries()) {
    if (!names.includes(name)) throw new ValidationError(`the table has no column "${name}"`, { issues: [{ path: ['parameters', 'filter', name], message: 'is not among the columns' }] })
    conditions.push(value === null ? `\`${name}\` IS NULL` : `toString(\`${name}\`) = {filter${index}:String}`)
    if (value !== null) params[`filter${index}`] = typed('String', String(value))
  }
  if (cursor !== undefined) {
    const [at, partition, offset] = positionOf(cursor)
    conditions.push(`(toUnixTimestamp64Milli(${time}), source_partition, source_offset) ${order === 'asc' ? '>' : '<'} ({cursorTime:Int64}, {cursorPartition:Int32}, {cursorOffset:Int64})`)
    Object.assign(params, { cursorTime: BigInt(at), cursorPartition: Number(partition), cursorOffset: BigInt(offset) })
  }
  return { conditions, params }
}

function cursorAfter(row: Row): string {
  return Buffer.from([row.position_time, row.position_partition, row.position_offset].map(String).join(',')).toString('base64url')
}

function positionOf(cursor: string): Position {
  const parts = Buffer.from(cursor, 'base64url').toString('utf8').split(',')
  if (parts.length === 3 && parts.every((part) => /^-?\d{1,18}$/.test(part))) return parts as unknown as Position
  throw new ValidationError('this is no cursor of an answer; give next_cursor of the page before, unchanged', { issues: [{ path: ['parameters', 'cursor'], message: 'must be next_cursor of the page before' }] })
}
