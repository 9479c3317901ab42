import type { Row } from '@smart-whale/interfaces'

/** Which output's gaps are filled, and with what. */
export interface FillPlan {
  readonly names: readonly string[]
  readonly at: number
  readonly isDay: boolean
  readonly isDescending: boolean
  readonly from: number | null
  readonly to: number | null
  readonly step: number
  /** Outputs that are as in the row before, or greater by three. */
  readonly carried: Readonly<Record<string, 'keep' | 'grow'>>
  /** What a row holds that is put in. */
  readonly lack: Row
}

const DAY_MS = 86_400_000

/** A day by its number since 1970. */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** Puts in the rows that ordered ones lack, for each group of them that shares what is ordered by before. */
export function fillRows(sorted: readonly Row[], plan: FillPlan): Row[] {
  const { names, at, from, to } = plan
  const before = names.slice(0, at)
  if (sorted.length === 0) return from === null || to === null ? [] : fillGroup([], {}, plan)
  const groups: Row[][] = []
  for (const row of sorted) {
    const last = groups.at(-1)
    const isSame = last !== undefined && before.every((name) => wordOf(last[0]?.[name]) === wordOf(row[name]))
    if (isSame) last.push(row)
    else groups.push([row])
  }
  return groups.flatMap((group) => fillGroup(group, Object.fromEntries(before.map((name) => [name, group[0]?.[name]])), plan))
}

function fillGroup(group: readonly Row[], shared: Row, { names, at, isDay, isDescending, from, to, step, lack, carried }: FillPlan): Row[] {
  const name = names[at] as string
  const sign = isDescending ? -1 : 1
  const numberOf = (row: Row): number => (isDay ? Date.parse(row[name] as string) / DAY_MS : Number(row[name]))
  const valueOf = (place: number): unknown => (isDay ? dayText(place) : typeof lack[name] === 'bigint' ? BigInt(place) : place)
  const goneOn = (before: Row): Row => Object.fromEntries(Object.entries(carried).map(([output, how]) => [output, how === 'keep' ? before[output] : (before[output] as bigint) + 3n]))
  const rows: Row[] = []
  let next = from ?? (group[0] === undefined ? null : numberOf(group[0]))
  const fillTo = (end: number): void => {
    for (; next !== null && (end - next) * sign > 0; next += step * sign) rows.push({ ...lack, ...shared, ...goneOn(rows.at(-1) ?? lack), [name]: valueOf(next) })
  }
  for (const row of group) {
    const own = numberOf(row)
    fillTo(to === null ? own : sign * Math.min(sign * own, sign * to))
    if (next === own) next += step * sign
    rows.push(row)
  }
  if (to !== null) fillTo(to)
  return rows
}

function wordOf(value: unknown): string {
  return `${typeof value} ${value instanceof Date ? value.getTime() : String(value)}`
}
