const DAY_MS = 86_400_000

/** Formatters are costly to make; there are few zones. */
const formatters = new Map<string, Intl.DateTimeFormat>()
const MAX_FORMATTERS = 200

/** Why a text is no time zone; undefined when it is one. */
export function zoneProblem(zone: string): string | undefined {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/.test(zone)) return `must be the name of a time zone such as Europe/Oslo, got "${zone}"`
  try {
    formatterOf(zone)
    return undefined
  } catch {
    return `must be the name of a time zone such as Europe/Oslo; there is no "${zone}"`
  }
}

/** The zone's name as ClickHouse knows it: it minds upper and lower case. */
export function canonicalZone(zone: string): string {
  return zone === 'UTC' ? zone : formatterOf(zone).resolvedOptions().timeZone
}

/** How far local time is ahead of UTC at an instant, in milliseconds. */
export function offsetAt(instantMs: number, zone: string): number {
  if (zone === 'UTC') return 0
  const wholeSecond = Math.floor(instantMs / 1000) * 1000
  const field: Record<string, number> = {}
  for (const { type, value } of formatterOf(zone).formatToParts(wholeSecond)) field[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = field
  return Date.UTC(year, month - 1, day, hour, minute, second) - wholeSecond
}

/** Local time as milliseconds, as if it were UTC. */
export function toLocal(instantMs: number, zone: string): number {
  return instantMs + offsetAt(instantMs, zone)
}

/**
 * The instant at which a clock of the zone shows a local time: the first of two when the clock was put back over it, and the
 * moment of the jump when it was put forward over it.
 */
export function toInstant(localMs: number, zone: string): number {
  if (zone === 'UTC') return localMs
  const before = offsetAt(localMs - DAY_MS, zone)
  const after = offsetAt(localMs + DAY_MS, zone)
  const early = localMs - before
  if (offsetAt(early, zone) === before) return early
  const late = localMs - after
  if (offsetAt(late, zone) === after) return late
  return jumpBetween(late, early, zone)
}

/** When the offset changes between two instants, to the second. */
function jumpBetween(fromMs: number, toMs: number, zone: string): number {
  const before = offsetAt(fromMs, zone)
  let low = Math.floor(fromMs / 1000)
  let high = Math.ceil(toMs / 1000)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle * 1000, zone) === before) low = middle
    else high = middle
  }
  return high * 1000
}

/** `2026-10-25T02:00:00+02:00`: which of two equal hours it is stays to be seen. */
export function formatInstant(instantMs: number, zone: string): string {
  const offset = offsetAt(instantMs, zone)
  const local = new Date(instantMs + offset).toISOString().slice(0, 19)
  const minutes = Math.abs(Math.round(offset / 60_000))
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  if (formatters.size >= MAX_FORMATTERS) formatters.clear()
  formatters.set(zone, made)
  return made
}
