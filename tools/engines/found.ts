import { describeFailure, ServiceError } from '../services/src/service-error.ts'

/** A real engine that a test needs, or the command that would bring it. Plain data: it crosses a process boundary. */
export type FoundEngine<T> = { readonly found: T } | { readonly found: null; readonly remedy: string }

/** What was found or started for a run, and how it ends. */
export interface RunningEngine<T> {
  readonly engine: FoundEngine<T>
  stop(): Promise<void>
}

/** Starts an engine, or says what this machine lacks for it. One that should start and doesn't is an error. */
export async function startIfPossible<T>(setting: string, start: () => Promise<{ address: T; stop(): Promise<void> }>): Promise<RunningEngine<T>> {
  try {
    const { address, stop } = await start()
    return { engine: { found: address }, stop }
  } catch (error) {
    if (!(error instanceof ServiceError && error.code === 'ERR_SERVICES_MISSING')) throw error
    return { engine: { found: null, remedy: `${describeFailure(error)}; or name a running one: ${setting}` }, stop: async () => {} }
  }
}
