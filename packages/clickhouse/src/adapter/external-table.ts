import { randomUUID } from 'node:crypto'
import { ValidationError } from '@smart-whale/interfaces'
import type { ExternalTable } from '../adapter-options.ts'
import { quoteName } from './table-columns.ts'

/** What a request has besides, so that its query sees a table of its own. */
export interface RequestWithTable {
  readonly search: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly contentType: string
}

/**
 * A query and its table as one form: https://clickhouse.com/docs/engines/table-engines/special/external-data.
 * @throws ValidationError when the table's name is none that goes without quotes
 */
export function withExternalTable(query: string, { name, columns, format, data }: ExternalTable): RequestWithTable {
  if (!/^[A-Za-z]\w*$/.test(name)) {
    const message = 'must begin with a letter, and have only letters, digits and _ besides'
    throw new ValidationError(`the name of an external table ${message}`, { issues: [{ path: ['external', 'name'], message }] })
  }
  const boundary = randomUUID()
  const part = (disposition: string): string => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`
  const body = Buffer.concat([Buffer.from(`${part('name="query"')}${query}\r\n${part(`name="${name}"; filename="${name}"`)}`), data, Buffer.from(`\r\n--${boundary}--\r\n`)])
  return {
    search: { [`${name}_structure`]: columns.map((column) => `${quoteName(column.name)} ${column.type}`).join(', '), [`${name}_format`]: format },
    body,
    contentType: `multipart/form-data; boundary=${boundary}`,
  }
}
