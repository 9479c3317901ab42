import { type ColumnType, enumEntries } from '../row-binary/column-type.ts'
import { compositionOf } from '../row-binary/geo-types.ts'

const PLAIN: Readonly<Record<string, string>> = {
  Int8: 'number',
  Int16: 'number',
  Int32: 'number',
  UInt8: 'number',
  UInt16: 'number',
  UInt32: 'number',
  Int64: 'bigint',
  Int128: 'bigint',
  Int256: 'bigint',
  UInt64: 'bigint',
  UInt128: 'bigint',
  UInt256: 'bigint',
  Float32: 'number',
  Float64: 'number',
  BFloat16: 'number',
  Decimal: 'string',
  String: 'string',
  FixedString: 'string',
  Bool: 'boolean',
  UUID: 'string',
  IPv4: 'string',
  IPv6: 'string',
  Date: 'string',
  Date32: 'string',
  DateTime: 'Date',
  Time: 'string',
  Time64: 'string',
  Nothing: 'null',
  JSON: 'Record<string, unknown>',
  QBit: 'number[]',
}

/** What a read row holds for a type, as TypeScript; `unknown` for what depends on the value, or is not read. */
export function typescriptOf(type: ColumnType): string {
  const { name, inner, names } = type
  const [first, second] = inner
  const plain = PLAIN[name]
  if (plain !== undefined) return plain
  if (name.startsWith('Interval')) return 'bigint'
  switch (name) {
    case 'DateTime64':
      return Number(type.args[0] ?? 0) > 3 ? 'string' : 'Date'
    case 'Enum8':
    case 'Enum16':
      return union([...enumEntries(type).values()].map((value) => JSON.stringify(value)))
    case 'Nullable':
      return first === undefined ? 'unknown' : union([typescriptOf(first), 'null'])
    case 'LowCardinality':
    case 'SimpleAggregateFunction':
      return first === undefined ? 'unknown' : typescriptOf(first)
    case 'Array':
      return first === undefined ? 'unknown[]' : listOf(typescriptOf(first))
    case 'Map':
      return first === undefined || second === undefined ? 'unknown' : mapOf(first, second)
    case 'Tuple':
      return names.length === 0 ? `[${inner.map(typescriptOf).join(', ')}]` : `{ ${inner.map((element, index) => `${JSON.stringify(names[index])}: ${typescriptOf(element)}`).join('; ')} }`
    case 'Variant':
      return union([...inner.map(typescriptOf), 'null'])
    default: {
      const composition = compositionOf(type)
      return composition === null ? 'unknown' : typescriptOf(composition)
    }
  }
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(' | ')
}

function listOf(element: string): string {
  return element.includes(' ') && !/^[[{]/.test(element) ? `(${element})[]` : `${element}[]`
}

/** As the decoder does: text keys make an object. */
function mapOf(key: ColumnType, value: ColumnType): string {
  const isText = /^(?:String|FixedString|Enum)/.test(key.name) || (key.name === 'LowCardinality' && key.inner[0]?.name === 'String')
  return isText ? `Record<string, ${typescriptOf(value)}>` : `Map<${typescriptOf(key)}, ${typescriptOf(value)}>`
}
