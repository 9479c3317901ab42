import { type BoundPlace, placeFor, placeOf } from './bind-value.ts'
import { builderError } from './builder-error.ts'
import type { CompileContext } from './expression.ts'
import { parseColumnType } from '../row-binary/column-type.ts'
import { type TimeUnit, unitWord } from './time-units.ts'

/** Where rows are put in for values that an ordered output lacks. */
export interface GapOptions<Value = unknown> {
  /** First value that must be there. @default the first one that is */
  from?: Value | undefined
  /** Value up to which rows are put in, itself left out. @default the last one that is there */
  to?: Value | undefined
  /** How far it is to the next value, also where the order descends: a number, or for times a count of units. @default 1, or a day for a Date; a time with a clock needs one */
  step?: number | readonly [count: number, unit: TimeUnit] | undefined
}

/** What fills gaps, to stand behind its order. */
export interface FilledGaps {
  /** Whether it begins at a value of its own. */
  readonly hasStart: boolean
  readonly sql: (context: CompileContext) => string
}

/** An output whose gaps are filled. */
interface FilledOutput {
  readonly name: string
  /** Empty where only the server knows. */
  readonly type: string
  readonly direction: 'ASC' | 'DESC'
}

/** Types that have nothing below 0, or 1970: the server would go on at their other end, and not stop. */
const ENDS_AT_ZERO = /^(?:UInt\d+|Date|DateTime)$/
const UNIT_SECONDS: Readonly<Record<TimeUnit, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800, month: 2_678_400, quarter: 7_948_800, year: 31_622_400 }

const NUMBERS = /^(?:U?Int\d+|Float\d+)$/
const DAYS = /^Date(?:32)?$/
const MOMENTS = /^DateTime(?:64)?$/

/**
 * What fills the gaps of an output, to stand behind its order.
 * @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` for an output that can have none, a value that it can't hold, or a step that leads nowhere
 */
export function fillGaps({ from, to, step }: GapOptions, output: FilledOutput): FilledGaps {
  checkType(output)
  const start = from === undefined ? undefined : edge(from, output)
  const end = to === undefined ? undefined : edge(to, output)
  const stride = strideOf(step, output)
  mustStopAboveZero(end, step, output)
  return {
    hasStart: start !== undefined,
    sql: (context) => ['WITH FILL', start && `FROM ${context.bind(start)}`, end && `TO ${context.bind(end)}`, stride && `STEP ${stride(context)}`].filter((part) => part !== undefined).join(' '),
  }
}

function checkType({ name, type }: FilledOutput): void {
  if (type === '') return
  // The server would put in, behind the nulls, rows that are there already.
  if (type.includes('Nullable(')) throw builderError([name], `the gaps of "${name}" can't be filled, because it may be null`)
  const bare = parseColumnType(type).name
  if (!NUMBERS.test(bare) && !DAYS.test(bare) && !MOMENTS.test(bare)) throw builderError([name], `the gaps of "${name}" can't be filled: it is a ${bare}, and neither a number nor a time`)
}

/** A time is taken under the output's own type alone; a list of times is bound so. */
function edge(value: unknown, { name, type }: FilledOutput): BoundPlace {
  if (type === '') return placeOf(value, name)
  const place = placeFor([value], type, name)
  const [own] = place.value as readonly unknown[]
  const placeType = place.type.slice('Array('.length, -1)
  // Beyond what an integer holds, the server would begin at its other end again.
  const isHeld = own !== undefined && (!type.includes('Int') || placeType === type)
  if (!isHeld) throw builderError([name], `the gaps of "${name}" can't begin or end at a value that a ${type} doesn't hold`)
  return { type: placeType, value: own }
}

function strideOf(step: GapOptions['step'], { name, type, direction }: FilledOutput): ((context: CompileContext) => string) | undefined {
  const bare = parseColumnType(type).name
  const sign = direction === 'ASC' ? 1 : -1
  if (step === undefined) {
    if (MOMENTS.test(bare)) throw builderError([name], `"${name}" is a ${bare}: say how far it is to the next one, [1, 'hour'] for example`)
    return direction === 'ASC' ? undefined : () => '-1'
  }
  if (typeof step === 'number') {
    if (DAYS.test(bare) || MOMENTS.test(bare)) throw builderError([name], `"${name}" is a ${bare}: its step needs a unit, [${step}, '${DAYS.test(bare) ? 'day' : 'second'}'] for example`)
    if (!(step > 0) || !Number.isFinite(step) || (!bare.startsWith('Float') && type !== '' && !Number.isSafeInteger(step))) throw builderError([name], `the step of "${name}" must be a number above 0 that a ${bare} holds`)
    return (context) => context.bind({ ...placeOf(step * sign, name) })
  }
  if (!Array.isArray(step)) throw builderError([name], `the step of "${name}" must be a number, or a count and a unit`)
  const [count, unit] = step as readonly [number, TimeUnit]
  if (NUMBERS.test(bare)) throw builderError([name], `"${name}" is a ${bare}: its step has no unit`)
  if (!Number.isSafeInteger(count) || count < 1) throw builderError([name], `the step of "${name}" must be a whole number of units, from 1`)
  const word = unitWord(unit)
  return (context) => `toInterval${word}(${context.bind({ type: 'Int64', value: count * sign })})`
}

/** Single steps reach 0 itself; wider ones may pass it, unless an end that lies a step above it stops them. */
function mustStopAboveZero(end: BoundPlace | undefined, step: GapOptions['step'], { name, type, direction }: FilledOutput): void {
  const bare = parseColumnType(type).name
  if (direction === 'ASC' || !ENDS_AT_ZERO.test(bare) || step === undefined || step === 1 || (bare === 'Date' && String(step) === '1,day')) return
  const width = typeof step === 'number' ? step : step[0] * UNIT_SECONDS[step[1]]
  const room = end === undefined ? -1 : bare.startsWith('UInt') ? Number(end.value) : Date.parse(`${String(end.value).replace(' ', 'T')}${bare === 'Date' ? '' : 'Z'}`) / 1000
  if (room < width) throw builderError([name], `the gaps of "${name}" can't be filled downwards in such steps without an end, to, that lies a step above where a ${bare} ends`)
}
