import type { HotPathResult } from './results.ts'
import type { Spread } from './statistics.ts'

/** A hot path's result as Markdown: its table, then a line for each goal. */
export function resultTable({ hotPath, contenders, goals, notes }: HotPathResult): string {
  const unit = `${hotPath.measure}, ns a ${hotPath.operation}`
  const rows = contenders.map(({ name, cost, ratio }) => `| ${name} | ${grouped(cost)} | ${name === hotPath.baseline ? '1' : times(ratio.median)} | ${name === hotPath.baseline ? '' : range(ratio)} |`)
  const verdicts = goals.map(({ sentence, reached, met }) => `- ${met ? '✓' : '✗'} ${sentence}: ${times(reached.median)} (${range(reached)})`)
  return [`## ${hotPath.title}`, '', `| contender | ${unit} | speed | p10–p90 |`, '|---|---:|---:|---|', ...rows, '', ...verdicts, ...(notes.length === 0 ? [] : ['', ...notes]), ''].join('\n')
}

const times = (ratio: number): string => `${ratio.toFixed(2)}×`
const range = ({ p10, p90 }: Spread): string => `${p10.toFixed(2)}–${p90.toFixed(2)}`

/** Whole numbers with a comma between thousands. */
function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
