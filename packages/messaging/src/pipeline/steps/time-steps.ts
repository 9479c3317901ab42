import { fieldTypeText } from '../field-type.ts'
import { type RowStep, type StepTools, typeOf } from './row-step.ts'
import type { StepSettings } from './step-schema.ts'

const SPANS = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

/** `truncateTime`: the beginning of the span in UTC that a time lies in; weeks begin on Monday. */
export function truncateTime({ field, to, into = field }: StepSettings<'truncateTime'>, tools: StepTools): RowStep {
  const type = typeOf(tools, field)
  if (type.kind !== 'timestamp') return tools.fail(`takes a timestamp, but "${field}" is of type ${fieldTypeText(type)}; cast it first`)
  tools.types.set(into, type)
  return (row) => {
    row[into] = row[field] === null ? null : beginningOf(to, row[field] as Date)
    return undefined
  }
}

function beginningOf(span: StepSettings<'truncateTime'>['to'], time: Date): Date {
  const year = time.getUTCFullYear()
  const month = time.getUTCMonth()
  if (span === 'year') return new Date(Date.UTC(year, 0))
  if (span === 'quarter') return new Date(Date.UTC(year, month - (month % 3)))
  if (span === 'month') return new Date(Date.UTC(year, month))
  if (span === 'week') return new Date(Date.UTC(year, month, time.getUTCDate() - ((time.getUTCDay() + 6) % 7)))
  return new Date(Math.floor(time.getTime() / SPANS[span]) * SPANS[span])
}
