/** What a timer function hands back; only to be given to `clearTimeout`. */
export type TimerHandle = unknown

/** Time as something handed in, so that tests decide how it passes. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. */
  now(): number
  /** Milliseconds that never go back; for durations. */
  monotonic(): number
  setTimeout(callback: () => void, delayMs: number): TimerHandle
  clearTimeout(handle: TimerHandle): void
}

// The global `performance` is an accessor, looked up anew at each call, which costs as much as the time itself. Tools that
// replace the timers for a test replace it along with them, and are followed.
const { performance: machine, setTimeout: machineTimeout } = globalThis

/** The machine's own clock. Its timers keep the process alive while somebody waits for them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => (setTimeout === machineTimeout ? machine.now() : performance.now()),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as Parameters<typeof clearTimeout>[0]),
}
