/** Tells when the process was asked to stop. */
export interface StopSignal {
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP; its reason is the signal's name. */
  readonly signal: AbortSignal
  /** Resolves then. */
  readonly received: Promise<void>
  /** Stops listening. */
  dispose(): void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Listens for the signals that end a process. A second Ctrl-C ends it at once, as one expects at a terminal. */
export function stopSignal(): StopSignal {
  const controller = new AbortController()
  const received = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve(), { once: true }))
  // A terminal's Ctrl-C may come twice, from the terminal and from whoever started us: only a later one is the user's impatience.
  let firstAt = 0
  const onSignal = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) firstAt = performance.now()
    else if (name === 'SIGINT' && performance.now() - firstAt > 1000) process.exit(130)
    controller.abort(name)
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  return {
    signal: controller.signal,
    received,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal)
    },
  }
}
