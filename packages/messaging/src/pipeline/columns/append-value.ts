import type { ColumnBuilder } from './column-builder.ts'

/** Adds a row's value, which was read by its field's type, to its column. */
export function appendValue(column: ColumnBuilder, value: unknown): void {
  if (value === null || value === undefined) {
    column.none()
    return
  }
  const { layout, scale } = column.shape
  if (layout === 'text') column.text(value as string)
  else if (layout === 'int32') column.int32(value as number)
  else if (layout === 'int64') column.int64(value as bigint)
  else if (layout === 'float64') column.float64(value as number)
  else if (layout === 'boolean') column.byte(value === true ? 1 : 0)
  else if (layout === 'milliseconds') column.safeInt64((value as Date).getTime())
  else if (layout === 'days') column.int32(Date.parse(value as string) / 86_400_000)
  else if (layout === 'uuid') appendUuid(column, value as string)
  else if (layout === 'decimal32') column.int32(Number(unscaled(value as string, scale)))
  else column.int64(unscaled(value as string, scale))
}

function appendUuid(column: ColumnBuilder, text: string): void {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex')
  column.uuid(bytes.readInt32BE(0), bytes.readInt32BE(4), bytes.readInt32BE(8), bytes.readInt32BE(12))
}

function unscaled(digits: string, scale: number): bigint {
  const [whole = '0', fraction = ''] = digits.split('.')
  return BigInt(whole + fraction.padEnd(scale, '0'))
}
