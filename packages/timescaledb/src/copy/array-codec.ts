import { type Codec, Unfit, wanted } from './codec.ts'

/** Arrays of a type, of any depth as long as all rows are equally long. */
export function arrayCodec(elementTypeId: number, element: Codec, nests: boolean): Codec {
  return (value, writer) => {
    if (!Array.isArray(value)) return wanted('an array', value)
    const lengths = nests ? lengthsOf(value) : [value.length]
    const items = flatten(value, lengths)
    if (!items) return new Unfit('is nested, and its rows are not equally long')
    const empty = items.length === 0
    writer.int32(empty ? 0 : lengths.length)
    writer.int32(items.some((item) => item === null || item === undefined) ? 1 : 0)
    writer.uint32(elementTypeId)
    for (const length of empty ? [] : lengths) {
      writer.int32(length)
      writer.int32(1)
    }
    for (const [index, item] of items.entries()) {
      if (item === null || item === undefined) {
        writer.int32(-1)
        continue
      }
      writer.openField()
      const unfit = element(item, writer)
      writer.closeField()
      if (unfit) return new Unfit(`holds an item (number ${index}) that ${unfit.problem}`)
    }
    return undefined
  }
}

function lengthsOf(value: readonly unknown[]): number[] {
  const lengths = [value.length]
  for (let level: unknown = value[0]; Array.isArray(level); level = level[0] as unknown) lengths.push(level.length)
  return lengths
}

function flatten(value: readonly unknown[], [length, ...rest]: readonly number[]): unknown[] | undefined {
  if (value.length !== length) return undefined
  if (rest.length === 0) return [...value]
  const items: unknown[] = []
  for (const row of value) {
    const inner = Array.isArray(row) ? flatten(row, rest) : undefined
    if (!inner) return undefined
    for (const item of inner) items.push(item)
  }
  return items
}
