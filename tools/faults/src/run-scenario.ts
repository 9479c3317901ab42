import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Finding, Scenario } from './scenario.ts'

/** How a scenario is run. */
export interface RunSettings {
  readonly seed: number
  readonly isShort: boolean
  /** `host:port` of brokers for the runs that kill none. @default each starts its own */
  readonly brokers?: readonly string[]
  readonly tell: (line: string) => void
}

/** Runs one scenario in a folder of its own and leaves nothing behind, also when it fails. */
export async function runScenario(scenario: Scenario, settings: RunSettings): Promise<readonly Finding[]> {
  // PostgreSQL runs under another account when we are root: it must be able to get there.
  const folder = await mkdtemp(join(tmpdir(), `smart-whale-${scenario.name}-`))
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })]
  try {
    const runFaults = await scenario.load()
    return await runFaults({ ...settings, folder, atEnd: (close) => closers.push(close) })
  } finally {
    for (const close of closers.reverse()) await close().catch((error: unknown) => settings.tell(`could not be closed: ${String(error)}`))
  }
}
