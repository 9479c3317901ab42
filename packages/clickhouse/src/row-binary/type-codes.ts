/**
 * Types as `Dynamic` values carry them before their bytes: https://clickhouse.com/docs/sql-reference/data-types/data-types-binary-encoding.
 * Here those that are nothing but their code.
 */
export const PLAIN_CODES: Readonly<Record<string, number>> = {
  Nothing: 0x00,
  UInt8: 0x01,
  UInt16: 0x02,
  UInt32: 0x03,
  UInt64: 0x04,
  UInt128: 0x05,
  UInt256: 0x06,
  Int8: 0x07,
  Int16: 0x08,
  Int32: 0x09,
  Int64: 0x0a,
  Int128: 0x0b,
  Int256: 0x0c,
  Float32: 0x0d,
  Float64: 0x0e,
  Date: 0x0f,
  Date32: 0x10,
  String: 0x15,
  UUID: 0x1d,
  IPv4: 0x28,
  IPv6: 0x29,
  Bool: 0x2d,
  BFloat16: 0x31,
  Time: 0x32,
}

/** Codes that more follows. */
export const CODE = {
  dateTime: 0x11,
  dateTimeWithZone: 0x12,
  dateTime64: 0x13,
  dateTime64WithZone: 0x14,
  fixedString: 0x16,
  enum8: 0x17,
  enum16: 0x18,
  decimal32: 0x19,
  decimal64: 0x1a,
  decimal128: 0x1b,
  decimal256: 0x1c,
  array: 0x1e,
  tuple: 0x1f,
  namedTuple: 0x20,
  interval: 0x22,
  nullable: 0x23,
  lowCardinality: 0x26,
  map: 0x27,
  variant: 0x2a,
  dynamic: 0x2b,
  custom: 0x2c,
  simpleAggregate: 0x2e,
  nested: 0x2f,
  json: 0x30,
  time64: 0x34,
  qbit: 0x36,
} as const

/** Units of intervals, each at the place that is its code. */
export const INTERVALS = ['Nanosecond', 'Microsecond', 'Millisecond', 'Second', 'Minute', 'Hour', 'Day', 'Week', 'Month', 'Quarter', 'Year']
