import { bareType, parseColumnType } from '../row-binary/column-type.ts'

/** ClickHouse's type of a sum: the widest integer, decimal or float of the operand's kind; empty where only the server knows. */
export function sumType(type: string): string {
  const sum = widest(type)
  return sum !== '' && type.includes('Nullable(') ? `Nullable(${sum})` : sum
}

function widest(type: string): string {
  const { name, args } = bareType(parseColumnType(type))
  if (name === 'Bool') return 'UInt64'
  if (/Float/.test(name)) return 'Float64'
  const integer = /^(U?)Int(\d+)$/.exec(name)
  if (integer !== null) return `${integer[1]}Int${Math.max(64, Number(integer[2]))}`
  if (name === 'Decimal') return `Decimal(${Number(args[0]) > 38 ? 76 : 38}, ${args[1] ?? 0})`
  return ''
}
