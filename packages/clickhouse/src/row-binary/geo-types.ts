import { type ColumnType, parseColumnType } from './column-type.ts'

/** What each geometric type is made of. A `Geometry` is a variant of the others, in the order of their names. */
const COMPOSITIONS: Readonly<Record<string, string>> = {
  Point: 'Tuple(Float64, Float64)',
  Ring: 'Array(Point)',
  LineString: 'Array(Point)',
  Polygon: 'Array(Ring)',
  MultiLineString: 'Array(LineString)',
  MultiPolygon: 'Array(Polygon)',
  Geometry: 'Variant(LineString, MultiLineString, MultiPolygon, Point, Polygon, Ring)',
}

/** The type that a geometric type, or a `Nested` column, is another name of; null for any other. */
export function compositionOf(type: ColumnType): ColumnType | null {
  if (type.name === 'Nested') return { name: 'Array', inner: [{ ...type, name: 'Tuple' }], args: [], names: [] }
  return Object.hasOwn(COMPOSITIONS, type.name) ? parseColumnType(COMPOSITIONS[type.name] as string) : null
}
