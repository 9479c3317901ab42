import type { Outcome } from './outcome.ts'

/** A test that lacks an engine says so by a note that begins with this word: `ctx.skip('needs Chromium: …')`. */
const MISSING_ENGINE = /^needs /

/** Where the real engines are required, a test that lacks one has failed. */
export function judge(outcomes: readonly Outcome[], { requireReal }: { requireReal: boolean }): Outcome[] {
  return outcomes.map((outcome) => {
    const lacks = outcome.state === 'skipped' && MISSING_ENGINE.test(outcome.reason ?? '')
    return requireReal && lacks ? { ...outcome, state: 'failed', reason: `${outcome.reason} (skipping is not allowed here)` } : outcome
  })
}

/** The end of a run: what failed, what was skipped and why, and a last line that a machine can read. */
export function summarize(outcomes: readonly Outcome[]): string[] {
  const of = (state: Outcome['state']) => outcomes.filter((outcome) => outcome.state === state)
  return [
    ...section('failed', of('failed')),
    ...section('skipped', of('skipped')),
    '',
    `${of('passed').length} passed, ${of('failed').length} failed, ${of('skipped').length} skipped`,
  ]
}

const REASON_LINES = 8

function section(title: string, outcomes: readonly Outcome[]): string[] {
  if (outcomes.length === 0) return []
  return ['', `── ${title}`, ...outcomes.flatMap((outcome) => [`  ${outcome.name}`, ...reasonLines(outcome)])]
}

function reasonLines({ reason, state }: Outcome): string[] {
  const lines = (reason ?? (state === 'skipped' ? 'no reason given' : '')).split('\n').filter((line) => line.trim() !== '')
  const shown = lines.slice(0, REASON_LINES)
  if (lines.length > shown.length) shown.push(`(${lines.length - shown.length} more lines above)`)
  return shown.map((line) => `      ${line}`)
}
