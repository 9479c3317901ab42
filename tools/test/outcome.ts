import { readFileSync, writeFileSync } from 'node:fs'

/** What became of one test or one check. A `reason` says why it failed, or what would let it run. */
export interface Outcome {
  name: string
  state: 'passed' | 'failed' | 'skipped'
  reason?: string
}

/** A step that counts more than one outcome writes them to the file that this variable names. */
export const OUTCOMES_FILE = 'SMART_WHALE_OUTCOMES'

/** Writes the outcomes for whoever asked for them; does nothing when nobody did. */
export function writeOutcomes(outcomes: readonly Outcome[], file = process.env[OUTCOMES_FILE]): void {
  if (file !== undefined) writeFileSync(file, JSON.stringify(outcomes))
}

/** @returns undefined when the step ended before it could write them */
export function readOutcomes(file: string): Outcome[] | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Outcome[]
  } catch {
    return undefined
  }
}
