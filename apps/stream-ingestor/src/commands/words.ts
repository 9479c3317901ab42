/** A number with what it counts: `1 pipeline`, `2 pipelines`. */
export function count(number: number | bigint, one: string, many = `${one}s`): string {
  return `${number} ${BigInt(number) === 1n ? one : many}`
}

/** A moment as it is printed everywhere: ISO 8601, in UTC, to the second. */
export function moment(time: number | string): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')
}
