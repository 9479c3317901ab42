/** Codecs that may suit a type, the server's own default among them. What a type can't have isn't proposed. */
export function candidateCodecs(type: string): readonly string[] {
  const inner = /^(?:LowCardinality\()?(?:Nullable\()?(\w+)/.exec(type)?.[1] ?? type
  // Values of a dictionary are numbers of no meaning; arrays, maps and tuples have several streams.
  if (/^(?:LowCardinality|Array|Map|Tuple|Nested|JSON|Variant|Dynamic)\(?/.test(type)) return GENERAL
  if (/^(?:Float(?:32|64))$/.test(inner)) return [...GENERAL, 'Gorilla, LZ4', 'Gorilla, ZSTD(1)', 'FPC, ZSTD(1)', 'ALP, ZSTD(1)']
  if (/^(?:U?Int(?:16|32|64)|Date|Date32|DateTime|DateTime64|Decimal\w*|Enum16|IPv4)$/.test(inner)) return [...GENERAL, 'Delta, LZ4', 'Delta, ZSTD(1)', 'DoubleDelta, ZSTD(1)', 'T64, LZ4', 'T64, ZSTD(1)']
  return GENERAL
}

/** What every type can have. */
const GENERAL = ['LZ4', 'ZSTD(1)', 'ZSTD(3)', 'ZSTD(9)'] as const
